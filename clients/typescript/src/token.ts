// A bearer token from a file.

import { UsageFault } from "./faults.js";
import { readBounded } from "./files.js";

/** What gRPC servers take as the metadata of a call by default. */
const TOKEN_BYTES_MAX = 8 * 1024;
/** RFC 6750, section 2.1: b64token. */
const ONE_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * The token of a file, read for each call: it is small, and may be replaced. Where it cannot be used at that moment, the
 * last one is sent.
 */
export class TokenFile {
  #last: string;

  /** @throws UsageFault */
  constructor(readonly file: string) {
    this.#last = this.#read();
  }

  /** Returns the value of the `authorization` header. */
  header(): string {
    try {
      this.#last = this.#read();
    } catch {
      // Half of a token that is being replaced is no reason to fail.
    }
    return `Bearer ${this.#last}`;
  }

  #read(): string {
    const text = readBounded(this.file, TOKEN_BYTES_MAX).toString("latin1").trim();
    if (!ONE_TOKEN.test(text)) {
      throw new UsageFault(`the token file ${this.file} does not hold one token`);
    }
    return text;
  }
}
