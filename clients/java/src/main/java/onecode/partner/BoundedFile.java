package onecode.partner;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads small files whole. Faults name the file, and nothing of its content. */
final class BoundedFile {
    private BoundedFile() {}

    /** Returns the content of a regular file; raises UsageFault where it cannot be read or is longer. */
    static byte[] read(String name, int bytesMax) throws UsageFault {
        try {
            Path path = Path.of(name);
            // A pipe would hold the caller up, and has its content once.
            if (Files.exists(path) && !Files.isRegularFile(path)) {
                throw new UsageFault(OneLine.of(name) + " is no regular file");
            }
            try (InputStream file = Files.newInputStream(path)) {
                byte[] content = file.readNBytes(bytesMax + 1);
                if (content.length > bytesMax) {
                    throw new UsageFault(OneLine.of(name) + " is larger than " + bytesMax + " bytes");
                }
                return content;
            }
        } catch (IOException | InvalidPathException fault) {
            throw unreadable(name, fault);
        }
    }

    /** Returns the fault of a file that cannot be read. */
    static UsageFault unreadable(String name, Exception fault) {
        return new UsageFault("cannot read " + OneLine.of(name) + ": " + why(fault));
    }

    private static String why(Exception fault) {
        if (fault instanceof NoSuchFileException) {
            return "no such file";
        }
        if (fault instanceof AccessDeniedException) {
            return "permission denied";
        }
        if (fault instanceof FileSystemException system && system.getReason() != null) {
            return OneLine.of(system.getReason());
        }
        return OneLine.of(fault.getMessage());
    }
}
