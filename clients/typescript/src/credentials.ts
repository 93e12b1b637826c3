// The files of TLS, and that of a token.

import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { UsageFault } from "./faults.js";
import { readBounded } from "./files.js";

/** Four times the list of all public authorities. */
const CA_BYTES_MAX = 1024 * 1024;
/** A chain of ten certificates, or a key of any kind. */
const PEM_BYTES_MAX = 64 * 1024;

/** What gRPC servers take as the metadata of a call by default. */
const TOKEN_BYTES_MAX = 8 * 1024;
/** RFC 6750, section 2.1: b64token. */
const ONE_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** Names the PEM files of TLS; all are absent for a channel in plaintext. */
export interface TlsFiles {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The name in the server's certificate, where it is not that of the address. */
  readonly serverName: string | undefined;
}

/** Tells whether any option of TLS is given, so that the channel has TLS. */
export function speaksTls(files: TlsFiles): boolean {
  return Object.values(files).some((value) => value !== undefined);
}

/**
 * Reads the files. Without an authority, those of Node.js vouch for the server.
 *
 * @throws UsageFault
 */
export function loadTls(files: TlsFiles): ChannelCredentials {
  const ca = files.ca === undefined ? null : readAuthorities(files.ca);
  if (files.cert === undefined || files.key === undefined) {
    return credentials.createSsl(ca);
  }
  const cert = readBounded(files.cert, PEM_BYTES_MAX);
  const key = readBounded(files.key, PEM_BYTES_MAX);
  try {
    createSecureContext({ cert, key });
  } catch {
    // OpenSSL's words for it may quote the file.
    throw new UsageFault(`${files.cert} and ${files.key} are no certificate and its key, in PEM, unencrypted`);
  }
  return credentials.createSsl(ca, key, cert);
}

/** Node.js takes any bytes for authorities, and would then trust nobody. */
function readAuthorities(file: string): Buffer {
  const pem = readBounded(file, CA_BYTES_MAX);
  const found = pem.toString("latin1").match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const one of found) {
      new X509Certificate(one);
    }
  } catch {
    throw new UsageFault(`${file} has a certificate that cannot be read`);
  }
  if (found.length === 0) {
    throw new UsageFault(`${file} has no certificates in PEM`);
  }
  return pem;
}

/**
 * The token of a file, read for each call: it is small, and may be replaced. Where it cannot be used at that moment,
 * the last one is sent.
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
