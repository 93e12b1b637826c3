// Cuts bytes into lines, and lines into batches.

import { UsageFault } from "./faults.js";

const LF = 0x0a;
const CR = 0x0d;

/** A line with its number, counted from 1. */
export interface Line {
  readonly number: number;
  readonly bytes: Buffer;
}

/**
 * Yields each line as its bytes, without LF or CR LF. An empty line counts, and so does a last one without LF.
 *
 * @throws UsageFault where a line has more than `bytesMax` bytes, after the lines before it
 */
export async function* lines(pieces: AsyncIterable<Buffer>, name: string, bytesMax: number): AsyncGenerator<Line> {
  let number = 1;
  let begun: Buffer[] = [];
  let size = 0;
  for await (const piece of pieces) {
    let start = 0;
    for (let end = piece.indexOf(LF); ; end = piece.indexOf(LF, start)) {
      const part = piece.subarray(start, end < 0 ? undefined : end);
      begun.push(part);
      size += part.length;
      if (size > bytesMax + (endsInCR(part) ? 1 : 0)) {
        throw new UsageFault(`${name}, line ${number}: longer than ${bytesMax} bytes`);
      }
      if (end < 0) {
        break;
      }
      const line = begun.length === 1 ? part : Buffer.concat(begun);
      yield { number, bytes: endsInCR(line) ? line.subarray(0, -1) : line };
      number += 1;
      begun = [];
      size = 0;
      start = end + 1;
    }
  }
  if (size > 0) {
    yield { number, bytes: Buffer.concat(begun) };
  }
}

function endsInCR(bytes: Buffer): boolean {
  return bytes.length > 0 && bytes[bytes.length - 1] === CR;
}

/**
 * Yields lines in groups of at most `countMax` lines and `bytesMax` bytes. A line longer than that is a group.
 *
 * An error of the lines is thrown after the group of the lines before it.
 */
export async function* batches(from: AsyncIterable<Line>, countMax: number, bytesMax: number): AsyncGenerator<Line[]> {
  let batch: Line[] = [];
  let size = 0;
  let fault: unknown;
  try {
    for await (const line of from) {
      if (batch.length > 0 && (batch.length === countMax || size + line.bytes.length > bytesMax)) {
        yield batch;
        batch = [];
        size = 0;
      }
      batch.push(line);
      size += line.bytes.length;
    }
  } catch (error) {
    fault = error;
  }
  if (batch.length > 0) {
    yield batch;
  }
  if (fault !== undefined) {
    throw fault;
  }
}
