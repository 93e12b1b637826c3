// Reads small files whole, and files of lines piece by piece.

import { createReadStream, readFileSync, statSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import { UsageFault } from "./faults.js";

/**
 * Returns the content of a regular file of at most `bytesMax` bytes.
 *
 * @throws UsageFault
 */
export function readBounded(file: string, bytesMax: number): Buffer {
  try {
    const stat = statSync(file);
    // A pipe would hold the program up, and has its content once.
    if (!stat.isFile()) {
      throw new UsageFault(`${file} is no regular file`);
    }
    if (stat.size > bytesMax) {
      throw new UsageFault(`${file} is larger than ${bytesMax} bytes`);
    }
    return readFileSync(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/**
 * Tells whether a file can be read twice: not standard input, `-`, nor a pipe.
 *
 * @throws UsageFault where it is not there
 */
export function isRepeatable(file: string): boolean {
  try {
    return file !== "-" && statSync(file).isFile();
  } catch (error) {
    throw unreadable(file, error);
  }
}

/**
 * Yields the bytes of a file, or of standard input for `-`, as they come.
 *
 * @throws UsageFault where it cannot be opened, or not read to its end
 */
export async function* readPieces(file: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of file === "-" ? process.stdin : createReadStream(file)) {
      yield piece as Buffer;
    }
  } catch (error) {
    throw unreadable(file === "-" ? "standard input" : file, error);
  }
}

/** Returns the fault for an error of the operating system, and any other error as it is. */
function unreadable(name: string, error: unknown): unknown {
  return error instanceof Error && "errno" in error ? new UsageFault(`cannot read ${name}: ${inWords(error)}`) : error;
}

/** Returns what the operating system calls an error, without the call and the path that Node.js adds. */
export function inWords(error: Error): string {
  const errno = "errno" in error ? Number(error.errno) : Number.NaN;
  return getSystemErrorMap().get(errno)?.[1] ?? error.message;
}
