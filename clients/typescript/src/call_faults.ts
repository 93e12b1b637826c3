// Reads the status of a failed call: its google.rpc details, and what it means where no connection was made.

import { type ServiceError, status } from "@grpc/grpc-js";
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.js";
import { Status } from "../generated/google/rpc/status.js";
import { CallFault } from "./faults.js";

const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

/** Words of the TLS of Node.js, the reason that docs/calling.md gives for them, and a sentence. */
const TLS_FAULTS: readonly (readonly [RegExp, string, string])[] = [
  [
    /wrong version number|packet length too long/i,
    "SERVER_SPEAKS_PLAINTEXT",
    "the server does not speak TLS, and this client does",
  ],
  [
    /does not match certificate's altnames|altnames/i,
    "SERVER_NAME_DIFFERS",
    "the server's certificate is not for the name or address by which it was called",
  ],
  [
    /self[- ]signed certificate|unable to (get|verify)|certificate (has expired|is not yet valid)|invalid CA|CERT_/i,
    "SERVER_NOT_TRUSTED",
    "the server's certificate is not by an authority that this client believes, or has expired",
  ],
];

/** Returns the fault of an error that grpc-js has for a call, and any other error as it is. */
export function callFault(error: unknown): unknown {
  if (!isServiceError(error)) {
    return error;
  }
  const { reason, retryAfterMs } = details(error);
  const code = status[error.code] ?? String(error.code);
  if (error.code === status.UNAVAILABLE && reason === "") {
    for (const [words, why, sentence] of TLS_FAULTS) {
      if (words.test(error.details)) {
        return new CallFault(code, `${sentence} (${error.details})`, why);
      }
    }
  }
  // CANCELLED is what a call comes to that arrives just as a server drains. A server that names a time to ask again is
  // only busy.
  const mayPass =
    error.code === status.UNAVAILABLE ||
    error.code === status.CANCELLED ||
    (error.code === status.RESOURCE_EXHAUSTED && retryAfterMs !== undefined);
  return new CallFault(code, error.details, reason, retryAfterMs, mayPass);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}

function details(error: ServiceError): { reason: string; retryAfterMs: number | undefined } {
  let reason = "";
  let retryAfterMs: number | undefined;
  for (const content of error.metadata?.get("grpc-status-details-bin") ?? []) {
    try {
      for (const { type_url, value } of Status.decode(content as Buffer).details) {
        if (type_url === `${TYPE_PREFIX}ErrorInfo`) {
          reason = ErrorInfo.decode(value).reason;
        } else if (type_url === `${TYPE_PREFIX}RetryInfo`) {
          const delay = RetryInfo.decode(value).retry_delay;
          retryAfterMs = delay && Math.max(0, Number(delay.seconds) * 1000 + delay.nanos / 1e6);
        }
      }
    } catch {
      // Details that cannot be decoded say nothing; the status stands without them.
    }
  }
  return { reason, retryAfterMs };
}
