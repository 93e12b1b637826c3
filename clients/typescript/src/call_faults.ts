// Reads the status of a failed call: its google.rpc details, and what it means where no connection was made.

import { type ServiceError, status } from "@grpc/grpc-js";
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.js";
import { Status } from "../generated/google/rpc/status.js";
import { CallFault, overdue } from "./faults.js";

const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

/** What the program showed to the server. */
export interface Shown {
  readonly tls: boolean;
  readonly certificate: boolean;
}

interface TlsFault {
  /** Words of grpc-js, of Node.js and of OpenSSL. */
  readonly words: RegExp;
  readonly applies: (shown: Shown) => boolean;
  /** As docs/calling.md has them. */
  readonly reason: string;
  readonly sentence: string;
  /** Whether a server that restarts looks alike. */
  readonly mayPass: boolean;
}

/** The first that applies counts. */
const TLS_FAULTS: readonly TlsFault[] = [
  {
    words: /wrong version number|packet length too long/,
    applies: ({ tls }) => tls,
    reason: "SERVER_SPEAKS_PLAINTEXT",
    sentence: "the server does not speak TLS, and this client does",
    mayPass: false,
  },
  {
    words: /certificate's altnames/,
    applies: ({ tls }) => tls,
    reason: "SERVER_NAME_DIFFERS",
    sentence: "the server's certificate is not for the name or address by which it was called",
    mayPass: false,
  },
  {
    words: /self[- ]signed certificate|unable to (get|verify)|certificate (has expired|is not yet valid)|invalid CA/,
    applies: ({ tls }) => tls,
    reason: "SERVER_NOT_TRUSTED",
    sentence: "the server's certificate is not by an authority that this client believes, or has expired",
    mayPass: false,
  },
  {
    words: /SSL alert|tlsv1\S* alert/,
    applies: ({ tls, certificate }) => tls && certificate,
    reason: "CERTIFICATE_REFUSED",
    sentence: "the server refuses this client's certificate: by another authority, expired, revoked or not for clients",
    mayPass: false,
  },
  {
    words: /SSL alert|tlsv1\S* alert/,
    applies: ({ tls }) => tls,
    reason: "CERTIFICATE_WANTED",
    sentence: "the server ended the TLS connection: most likely it wants a client certificate",
    mayPass: false,
  },
  {
    words: /Last error: Failed to connect/,
    applies: ({ tls }) => !tls,
    reason: "SERVER_SPEAKS_TLS",
    sentence: "the server ended the plaintext connection at once: most likely it speaks TLS, so give --tls-ca",
    mayPass: true,
  },
];

/** Returns the fault of an error that grpc-js has for a call, and any other error as it is. */
export function callFault(error: unknown, shown: Shown): unknown {
  if (!isServiceError(error)) {
    return error;
  }
  const { reason, retryAfterMs } = details(error);
  const code = status[error.code] ?? String(error.code);
  if (error.code === status.UNAVAILABLE && reason === "") {
    const tls = TLS_FAULTS.find(({ words, applies }) => applies(shown) && words.test(error.details));
    const why = connectionError(error.details);
    return tls === undefined
      ? new CallFault(code, why, "", retryAfterMs, true)
      : new CallFault(code, `${tls.sentence} (${why})`, tls.reason, retryAfterMs, tls.mayPass);
  }
  if (error.code === status.DEADLINE_EXCEEDED && reason === "") {
    return overdue();
  }
  // CANCELLED is what a call comes to that arrives just as a server drains. A server that names a time to ask again is
  // only busy.
  const mayPass =
    error.code === status.UNAVAILABLE ||
    error.code === status.CANCELLED ||
    (error.code === status.RESOURCE_EXHAUSTED && retryAfterMs !== undefined);
  return new CallFault(code, error.details, reason, retryAfterMs, mayPass);
}

/** Leaves out what grpc-js and OpenSSL tell their own developers. */
function connectionError(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (Error: )?/, "no connection: ")
    .replace(/\.? Resolution note: $/, "")
    .replace(/ \([0-9TZ:.-]+\)$/, "")
    .replace(/[0-9A-F]+:error:[0-9A-F]+:SSL routines:[^:]*:([^:]*):.*$/s, "$1")
    .trim();
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
