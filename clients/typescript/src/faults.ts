// What ends the program before its work is done, and the one line that says so.

/** The caller's mistake, or a file that cannot be used: the same call again would fail again. */
export class UsageFault extends Error {}

/** The answers cannot be written, as on a full disk or to a reader that has gone. */
export class OutputFault extends Error {}

/** A call that was not answered. */
export class CallFault extends Error {
  /**
   * @param code gRPC's name of the status
   * @param message what happened, for people
   * @param reason what happened, for programs: that of google.rpc.ErrorInfo; empty where there is none
   * @param retryAfterMs when to ask again: that of google.rpc.RetryInfo
   * @param mayPass whether the same call may be answered a little later
   */
  constructor(
    readonly code: string,
    message: string,
    readonly reason = "",
    readonly retryAfterMs: number | undefined = undefined,
    readonly mayPass = false,
  ) {
    super(message);
  }
}

/** The fault of a server that does not keep to the API, which asking again would not mend. */
export function brokenAnswer(what: string): CallFault {
  return new CallFault("INTERNAL", what);
}

/** The fault of a call without an answer in its time. */
export function overdue(): CallFault {
  return new CallFault("DEADLINE_EXCEEDED", "no answer came within the timeout");
}

/** Describes any error on one line, without the name of the program. */
export function describe(error: unknown): string {
  const message = oneLine(error instanceof Error ? error.message : String(error));
  if (!(error instanceof CallFault)) {
    return message;
  }
  const reason = error.reason === "" ? "" : ` (${oneLine(error.reason)})`;
  const retry = error.retryAfterMs === undefined ? "" : `, retry in ${error.retryAfterMs / 1000} s`;
  return `${error.code}: ${message}${reason}${retry}`;
}

/** Replaces control characters: a text may be a proxy's, and must not move the cursor of a terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}
