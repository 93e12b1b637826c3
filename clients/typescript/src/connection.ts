// One connection to the server, and calls over it.

import { type CallOptions, type ChannelCredentials, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { RecognitionServiceClient } from "../generated/onecode/v1/recognition.js";
import { StatusServiceClient } from "../generated/onecode/v1/status.js";
import { isLoopback } from "./address.js";
import { callFault } from "./call_faults.js";
import { loadTls, speaksTls, type TlsFiles, TokenFile } from "./credentials.js";

/**
 * Checks change nothing on the server, and a translation that is made twice is none the worse, so that asking again is
 * safe. Streams keep what they must send again themselves. A call's deadline bounds all attempts together.
 */
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: ["Verify", "BatchVerify", "Translate"].map((method) => ({
        service: "onecode.v1.RecognitionService",
        method,
      })),
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.1s",
        maxBackoff: "1s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE", "CANCELLED"],
      },
    },
  ],
});

const OPTIONS = {
  "grpc.service_config": SERVICE_CONFIG,
  // The largest batch with the tags and lengths of its codes: grpc-js does not repeat a call above this,
  // by default 1 MiB.
  "grpc.per_rpc_retry_buffer_size": 4 * 1024 * 1024 + 64 * 1024,
  // A peer that vanished is noticed within 30 s. A server allows a ping every 10 s.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
  // By default connections of a process outlive their channel, and with them the pause before a further attempt.
  "grpc.use_local_subchannel_pool": 1,
  // A server that is back is found within a second.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
};

/** Says how a server is reached. */
export interface Access {
  /** HOST:PORT. */
  readonly server: string;
  readonly tls: TlsFiles;
  readonly tokenFile: string | undefined;
}

type Reply<A> = (error: ServiceError | null, answer: A) => void;

/** A connection to one server. Only one call at a time uses it. */
export class Connection {
  readonly #access: Access;
  readonly #token: TokenFile | undefined;
  #credentials: ChannelCredentials;
  #recognition: RecognitionServiceClient | undefined;
  #status: StatusServiceClient | undefined;

  /**
   * Connects later, at the first call.
   *
   * @throws UsageFault where a file cannot be used
   */
  constructor(access: Access) {
    this.#access = access;
    this.#token = access.tokenFile === undefined ? undefined : new TokenFile(access.tokenFile);
    this.#credentials = this.#load();
  }

  get recognition(): RecognitionServiceClient {
    this.#recognition ??= new RecognitionServiceClient(this.#target, this.#credentials, this.#options);
    return this.#recognition;
  }

  get status(): StatusServiceClient {
    this.#status ??= new StatusServiceClient(this.#target, this.#credentials, this.#options);
    return this.#status;
  }

  /** Returns the headers of the next call. */
  metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) {
      metadata.set("authorization", this.#token.header());
    }
    return metadata;
  }

  /**
   * Makes one call, with all its attempts, and returns its answer.
   *
   * @throws CallFault
   */
  answer<A>(timeoutMs: number, call: (metadata: Metadata, how: CallOptions, reply: Reply<A>) => void): Promise<A> {
    return new Promise((resolve, reject) => {
      call(this.metadata(), { deadline: Date.now() + timeoutMs }, (error, answer) => {
        if (error === null) {
          resolve(answer);
        } else {
          reject(this.fault(error));
        }
      });
    });
  }

  /** Returns the fault of an error that grpc-js has for a call, and any other error as it is. */
  fault(error: unknown): unknown {
    const { tls } = this.#access;
    return callFault(error, { tls: speaksTls(tls), certificate: tls.cert !== undefined });
  }

  /**
   * Lets the next call connect anew, with the files of TLS as they are by then. Files that cannot be used, as a pair of
   * which one half has been replaced so far, leave in place what was read before.
   */
  renew(): void {
    this.close();
    try {
      this.#credentials = this.#load();
    } catch {
      // They were usable at the start.
    }
  }

  close(): void {
    this.#recognition?.close();
    this.#status?.close();
    this.#recognition = undefined;
    this.#status = undefined;
  }

  #load(): ChannelCredentials {
    return speaksTls(this.#access.tls) ? loadTls(this.#access.tls) : credentials.createInsecure();
  }

  get #target(): string {
    // With its scheme, so that no host name is taken for one.
    return `dns:${this.#access.server}`;
  }

  get #options(): Record<string, string | number> {
    const { serverName } = this.#access.tls;
    return {
      ...OPTIONS,
      ...(serverName === undefined ? {} : { "grpc.ssl_target_name_override": serverName }),
      // This machine is reached without a proxy.
      ...(isLoopback(this.#access.server) ? { "grpc.enable_http_proxy": 0 } : {}),
    };
  }
}
