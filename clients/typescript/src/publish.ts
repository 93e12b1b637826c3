// onecode-partner publish: status records over one stream.

import {
  type PublishStatusesRequest,
  type PublishStatusesResponse,
  RejectionReason,
  type StatusRecord,
} from "../generated/onecode/v1/status.js";
import type { Connection } from "./connection.js";
import { type Conversation, converse } from "./conversation.js";
import { brokenAnswer, UsageFault } from "./faults.js";
import { isRepeatable, readPieces } from "./files.js";
import { lines } from "./lines.js";
import { type Numbered, Outbox } from "./outbox.js";
import { NotARecord, readRecord } from "./status_records.js";
import { fileName, type Task } from "./task.js";

/** A record whose subject is named by the longest code, eleven times over. */
const RECORD_LINE_BYTES_MAX = 64 * 1024;
/** A server commits up to 1,000 records and reads 2,000 ahead; the rest is on its way there and back. */
const WINDOW_RECORDS = 5000;
/** A server reads 1 MiB ahead. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * Reads a file twice, so that a mistake in it publishes nothing. What can be read only once is checked on the way.
 *
 * @throws UsageFault, CallFault, OutputFault
 */
export async function publish(task: Task): Promise<void> {
  const { operand } = task.options;
  if (isRepeatable(operand)) {
    for await (const _ of records(operand)) {
      // A record that cannot be read throws.
    }
  }
  const publication = new Publication(task);
  try {
    await converse(publication);
  } finally {
    // Also where the publication has failed on the way: what is taken stays.
    await task.output.write(publication.summary());
  }
}

class Publication implements Conversation<StatusRecord, PublishStatusesRequest, PublishStatusesResponse> {
  readonly outbox: Outbox<StatusRecord>;
  readonly connection: Connection;
  readonly timeoutMs: number;
  readonly #counts = { taken: 0, superseded: 0, conflict: 0, rejected: 0 };
  #shown = "";

  constructor(readonly task: Task) {
    this.outbox = new Outbox(records(task.options.operand), WINDOW_RECORDS, WINDOW_BYTES);
    this.connection = task.connection;
    this.timeoutMs = task.options.timeoutMs;
  }

  open() {
    return this.connection.status.publishStatuses(this.connection.metadata());
  }

  request({ number, item }: Numbered<StatusRecord>): PublishStatusesRequest {
    // The number of a line rises along the file, as a sequence must.
    return { sequence: BigInt(number), record: item };
  }

  take({ durable_through, rejections }: PublishStatusesResponse): void {
    const rejected = new Set(rejections.map(({ sequence }) => Number(sequence)));
    const through = Number(durable_through);
    if (rejected.size !== rejections.length || ![...rejected].every((line) => line <= through && this.#waits(line))) {
      throw brokenAnswer("the server rejects records that wait for no answer");
    }
    const before = this.outbox.size;
    this.outbox.dropThrough(through);
    this.#counts.taken += before - this.outbox.size - rejections.length;
    for (const { sequence, reason } of rejections) {
      if (reason === RejectionReason.REJECTION_REASON_SUPERSEDED) {
        this.#counts.superseded += 1;
      } else if (reason === RejectionReason.REJECTION_REASON_REVISION_CONFLICT) {
        this.#counts.conflict += 1;
      } else {
        this.#counts.rejected += 1;
      }
      const word = (RejectionReason[reason] ?? String(reason)).replace(/^REJECTION_REASON_/, "");
      this.#shown += `${sequence}\tREJECTED\t${word}\n`;
    }
  }

  async flush(): Promise<void> {
    const shown = this.#shown;
    this.#shown = "";
    if (shown !== "") {
      await this.task.output.write(shown);
    }
  }

  summary(): string {
    const { taken, superseded, conflict, rejected } = this.#counts;
    return `taken ${taken}, superseded ${superseded}, conflict ${conflict}, rejected ${rejected}\n`;
  }

  #waits(line: number): boolean {
    return this.outbox.get(line) !== undefined;
  }
}

/** Yields a record for each line that is not blank, with the line's number. Throws UsageFault. */
async function* records(operand: string): AsyncGenerator<Numbered<StatusRecord>> {
  const name = fileName(operand);
  for await (const { number, bytes } of lines(readPieces(operand), name, RECORD_LINE_BYTES_MAX)) {
    let record: StatusRecord;
    try {
      // The decoder takes a byte-order mark away, which begins a file of some editors.
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: number !== 1 }).decode(bytes);
      if (/^[ \t\r\n\v\f]*$/.test(text)) {
        continue;
      }
      record = readRecord(text);
    } catch (error) {
      const why = error instanceof NotARecord ? error.message : "it is not UTF-8";
      throw new UsageFault(`${name}, line ${number}: not a StatusRecord (${why})`);
    }
    yield { number, item: record, size: bytes.length };
  }
}
