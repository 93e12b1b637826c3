// Sends an outbox over a stream, and over another one where the server goes away.

import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { Connection } from "./connection.js";
import { CallFault, overdue } from "./faults.js";
import type { Numbered, Outbox } from "./outbox.js";
import { Patience } from "./patience.js";

/** The two sides of a conversation. */
export interface Conversation<T, Q, A> {
  readonly connection: Connection;
  readonly outbox: Outbox<T>;
  readonly timeoutMs: number;
  /** Opens a stream. */
  open(): ClientDuplexStream<Q, A>;
  /** Returns the message for an item, or nothing where the item is answered already. */
  request(entry: Numbered<T>): Q | undefined;
  /** Takes an answer, and drops from the outbox what it answers. */
  take(answer: A): void;
  /** Shows what was taken: before the program waits, and before a fault ends it. */
  flush(): Promise<void>;
}

/**
 * Sends everything and takes all answers. Where a stream breaks, or its server ends it early, what has no answer is
 * sent again on another, until the timeout has passed without an answer.
 *
 * @throws CallFault, OutputFault, and what ended the source, after the answers to the items before it
 */
export async function converse<T, Q, A>(conversation: Conversation<T, Q, A>): Promise<void> {
  const { outbox } = conversation;
  const patience = new Patience(conversation.timeoutMs);
  let highest = 0;
  const sent = (number: number) => {
    // A source may be slow: time counts from an item that was never sent before, and has no other before it.
    if (number > highest && outbox.size === 1) {
      patience.renew();
    }
    highest = Math.max(highest, number);
  };
  for (;;) {
    while (outbox.size === 0 && !outbox.hasEnded) {
      outbox.readAhead();
      await outbox.changed.wait();
    }
    if (outbox.size === 0) {
      return outbox.finish();
    }
    try {
      await oneStream(conversation, patience, sent);
    } catch (fault) {
      // A stream that breaks while nothing waits for an answer takes nothing away.
      if (outbox.size > 0 || !(fault instanceof CallFault && fault.mayPass)) {
        await patience.pause(fault);
      }
      conversation.connection.renew();
    }
  }
}

/** Sends and takes over one stream, to its end. Throws where it breaks, or ends before all is answered. */
async function oneStream<T, Q, A>(
  conversation: Conversation<T, Q, A>,
  patience: Patience,
  sent: (number: number) => void,
): Promise<void> {
  const { outbox } = conversation;
  const call = conversation.open();
  // The loop below has the errors; one that comes after it, as of the cancellation, would end the process.
  call.on("error", () => {});
  const state = { hasEnded: false, isOverdue: false };
  const watch = setInterval(() => {
    if (outbox.size > 0 && patience.left() === 0) {
      state.isOverdue = true;
      call.cancel();
    }
  }, WATCH_MS);
  const sending = send(conversation, call, state, sent);
  try {
    for await (const answer of call) {
      conversation.take(answer as A);
      patience.renew();
      // What has come in already is taken first: one write for many answers.
      if (call.readableLength === 0) {
        await conversation.flush();
      }
    }
    if (outbox.size > 0) {
      throw new CallFault("UNAVAILABLE", "the server ended the stream before it had answered", "", undefined, true);
    }
  } catch (error) {
    throw state.isOverdue ? overdue() : conversation.connection.fault(error);
  } finally {
    state.hasEnded = true;
    clearInterval(watch);
    call.cancel();
    outbox.changed.notify();
    await sending;
    await conversation.flush();
  }
}

/** How often the time without an answer is looked at: a timeout may be exceeded by as much. */
const WATCH_MS = 50;

async function send<T, Q, A>(
  conversation: Conversation<T, Q, A>,
  call: ClientDuplexStream<Q, A>,
  state: { readonly hasEnded: boolean },
  sent: (number: number) => void,
): Promise<void> {
  const { outbox } = conversation;
  let last = 0;
  call.on("drain", () => outbox.changed.notify());
  while (!state.hasEnded) {
    const entry = outbox.after(last);
    if (entry !== undefined && !call.writableNeedDrain) {
      last = entry.number;
      const request = conversation.request(entry);
      if (request !== undefined) {
        sent(entry.number);
        call.write(request);
      }
    } else if (entry === undefined && outbox.hasEnded) {
      call.end();
      return;
    } else {
      outbox.readAhead();
      await outbox.changed.wait();
    }
  }
}
