// How long the program asks again without an answer.

import { setTimeout as sleep } from "node:timers/promises";
import { CallFault } from "./faults.js";
import type { Task } from "./task.js";

/** Pauses double from the first to the last: a server that is back is found soon, one that is not gets few attempts. */
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 1000;

/** The time without an answer, on a clock that nobody sets. */
export class Patience {
  #since = performance.now();
  #pauseMs = PAUSE_MIN_MS;
  #last: CallFault | undefined;

  constructor(readonly timeoutMs: number) {}

  /** Begins anew, at an answer or at a further question. */
  renew(): void {
    this.#since = performance.now();
    this.#pauseMs = PAUSE_MIN_MS;
    this.#last = undefined;
  }

  /** Returns the milliseconds that are left for an answer. */
  left(): number {
    return Math.max(0, this.#since + this.timeoutMs - performance.now());
  }

  /**
   * Waits before the next attempt: as long as the server said, or a little longer each time.
   *
   * @throws the fault, where time does not mend it or is over. Where time is over, it is the one that says why
   */
  async pause(fault: unknown): Promise<void> {
    if (!(fault instanceof CallFault)) {
      throw fault;
    }
    if (fault.code === "DEADLINE_EXCEEDED" && this.#last !== undefined) {
      throw this.#last; // "no answer" says less than why the attempts before had none
    }
    const leftMs = this.left();
    // Jitter: the clients of a server that comes back do not all call at the same moment. Half of what is left: a
    // server that is back just before the end is still found.
    const pauseMs = fault.retryAfterMs ?? Math.min(this.#pauseMs * (0.5 + Math.random() / 2), leftMs / 2);
    if (!fault.mayPass || pauseMs >= leftMs || leftMs < PAUSE_MIN_MS) {
      throw fault;
    }
    this.#last = fault;
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MAX_MS);
    await sleep(pauseMs);
  }
}

/**
 * Returns the answer of a call, which is repeated for as long as the task's timeout allows.
 *
 * @throws CallFault
 */
export async function persist<A>(task: Task, call: (timeoutMs: number) => Promise<A>): Promise<A> {
  const patience = new Patience(task.options.timeoutMs);
  for (;;) {
    try {
      return await call(patience.left());
    } catch (fault) {
      await patience.pause(fault);
      task.connection.renew();
    }
  }
}
