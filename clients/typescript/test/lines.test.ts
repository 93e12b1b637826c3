import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageFault } from "../src/faults.js";
import { batches, lines } from "../src/lines.js";

async function* pieces(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) {
    yield Buffer.from(text, "latin1");
  }
}

async function read(bytesMax: number, ...texts: string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { number, bytes } of lines(pieces(...texts), "codes", bytesMax)) {
    assert.equal(number, found.length + 1);
    found.push(bytes.toString("latin1"));
  }
  return found;
}

test("every line counts, whatever its end and whether it is empty", async () => {
  assert.deepEqual(await read(9, "a\r\n\n\r\nb\rc\nd"), ["a", "", "", "b\rc", "d"]);
  assert.deepEqual(await read(9, ""), []);
  assert.deepEqual(await read(9, "\n"), [""]);
});

test("a line may be cut anywhere on its way", async () => {
  assert.deepEqual(await read(9, "a", "b\r", "\n", "\r", "x\n", "c"), ["ab", "\rx", "c"]);
});

test("bytes that are no text stay as they are", async () => {
  assert.deepEqual(await read(9, "\xff\x00\x80\n"), ["\xff\x00\x80"]);
});

test("a line at the bound is read, and one byte more is refused after the lines before it", async () => {
  assert.deepEqual(await read(4, "abcd\r\nabcd"), ["abcd", "abcd"]);
  for (const long of ["abcde\n", "abcde", "abcde\r\n"]) {
    const found: string[] = [];
    await assert.rejects(async () => {
      for await (const { bytes } of lines(pieces("a\n", long), "codes", 4)) {
        found.push(bytes.toString());
      }
    }, new UsageFault("codes, line 2: longer than 4 bytes"));
    assert.deepEqual(found, ["a"]);
  }
});

test("a batch holds as many lines and bytes as a call takes, and an error comes after the lines before it", async () => {
  const sizes: number[][] = [];
  await assert.rejects(async () => {
    for await (const batch of batches(lines(pieces("aaa\nbb\nc\nd\neeeee\nf\n", "too long"), "codes", 5), 3, 5)) {
      sizes.push(batch.map(({ bytes }) => bytes.length));
    }
  }, UsageFault);
  assert.deepEqual(sizes, [[3, 2], [1, 1], [5], [1]]);
});
