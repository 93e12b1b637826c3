package onecode.partner;

import java.util.ArrayList;
import java.util.List;

/** Cuts a file of codes into what one call may carry: at most 4,096 codes, and 4 MiB of them. */
final class Batches {
    static final int CODES_MAX = 4096;
    static final int BYTES_MAX = 4 << 20;

    private final Input input;
    private byte[] carried;
    private UsageFault fault;

    Batches(Input input) {
        this.input = input;
    }

    /** Returns the next batch; empty at the end. A fault of the file is raised after the batch of the lines before. */
    List<byte[]> next() throws UsageFault {
        var batch = new ArrayList<byte[]>();
        int bytes = 0;
        while (batch.size() < CODES_MAX) {
            byte[] code = read();
            if (code == null) {
                break;
            }
            if (bytes + code.length > BYTES_MAX) {
                carried = code;
                break;
            }
            batch.add(code);
            bytes += code.length;
        }
        if (batch.isEmpty() && fault != null) {
            throw fault;
        }
        return batch;
    }

    private byte[] read() {
        byte[] code = carried;
        carried = null;
        if (code != null || fault != null) {
            return code;
        }
        try {
            return input.next();
        } catch (UsageFault unreadable) {
            fault = unreadable;
            return null;
        }
    }
}
