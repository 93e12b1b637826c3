// onecode-partner scan: codes over one stream, with the answers in the order of the file.

import type { StreamVerifyRequest, StreamVerifyResponse, Verdict } from "../generated/onecode/v1/recognition.js";
import type { Connection } from "./connection.js";
import { type Conversation, converse } from "./conversation.js";
import { brokenAnswer } from "./faults.js";
import { readPieces } from "./files.js";
import { lines } from "./lines.js";
import { type Numbered, Outbox } from "./outbox.js";
import { CODE_LINE_BYTES_MAX, fileName, type Task } from "./task.js";
import { verdictLine } from "./verdicts.js";

/** The codes without an answer: a server has 512 of a stream waiting and checks 256, and as many are on their way. */
const WINDOW_CODES = 1024;
/** Their bytes: all of them, with the greatest length of a code. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** @throws UsageFault, CallFault, OutputFault */
export async function scan(task: Task): Promise<void> {
  await converse(new Scan(task));
}

class Scan implements Conversation<Buffer, StreamVerifyRequest, StreamVerifyResponse> {
  readonly outbox: Outbox<Buffer>;
  readonly connection: Connection;
  readonly timeoutMs: number;
  /** Answers that came before those of lines above them. */
  readonly #verdicts = new Map<number, Verdict>();
  #shown = "";

  constructor(readonly task: Task) {
    this.outbox = new Outbox(codes(task.options.operand), WINDOW_CODES, WINDOW_BYTES);
    this.connection = task.connection;
    this.timeoutMs = task.options.timeoutMs;
  }

  open() {
    return this.connection.recognition.streamVerify(this.connection.metadata());
  }

  request({ number, item }: Numbered<Buffer>): StreamVerifyRequest | undefined {
    return this.#verdicts.has(number)
      ? undefined
      : { request_id: BigInt(number), code: item, host_region: this.task.options.region };
  }

  take({ request_id, verdict }: StreamVerifyResponse): void {
    const number = Number(request_id);
    if (verdict === undefined || this.outbox.get(number) === undefined || this.#verdicts.has(number)) {
      throw brokenAnswer("the server did not answer each code with one verdict");
    }
    this.#verdicts.set(number, verdict);
    for (let line = this.outbox.first?.number; line !== undefined; line = this.outbox.first?.number) {
      const next = this.#verdicts.get(line);
      if (next === undefined) {
        break;
      }
      this.#verdicts.delete(line);
      this.#shown += verdictLine(line, next, this.task.options.json);
      this.outbox.dropThrough(line);
    }
  }

  async flush(): Promise<void> {
    const shown = this.#shown;
    this.#shown = "";
    if (shown !== "") {
      await this.task.output.write(shown);
    }
  }
}

async function* codes(operand: string): AsyncGenerator<Numbered<Buffer>> {
  for await (const { number, bytes } of lines(readPieces(operand), fileName(operand), CODE_LINE_BYTES_MAX)) {
    yield { number, item: bytes, size: bytes.length };
  }
}
