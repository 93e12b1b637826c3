// onecode-partner: what a partner system does with a onecode server.

import { FAILED, run } from "./command.js";
import { describe } from "./faults.js";

// grpc-js names a server to TLS by its address, of which Node.js warns on several lines.
process.noDeprecation = true;

// A mistake of this program's own is one line as well.
process.on("uncaughtException", (error) => {
  process.stderr.write(`onecode-partner: INTERNAL: ${describe(error)}\n`);
  process.exit(FAILED);
});

// Without waiting for what may still be open, as a standard input whose rest nobody wants.
process.exit(await run(process.argv.slice(2), process.env, process.stdout, process.stderr));
