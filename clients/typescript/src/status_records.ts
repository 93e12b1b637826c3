// Reads a StatusRecord from JSON, as `onecode status publish` does (docs/publishing.md).

import type { Timestamp } from "../generated/google/protobuf/timestamp.js";
import { Level, Scope, type StatusRecord, type SubjectRef } from "../generated/onecode/v1/status.js";

const REVISIONS_END = 1n << 64n;
const MEMBERS = [
  ...["publisher", "subject", "level", "scope", "effective_at", "expires_at", "revision"],
  "published_at", // which `onecode status get --json` shows; the server sets that time
];

type Members = Readonly<Record<string, unknown>>;

/** A line that is not a record. The message quotes nothing of it but names of members. */
export class NotARecord extends Error {}

/** @throws NotARecord */
export function readRecord(line: string): StatusRecord {
  let members: Members;
  try {
    members = asObject(parseStrict(line), "it");
  } catch (error) {
    // The words of JSON.parse quote the text.
    throw error instanceof NotARecord ? error : new NotARecord("it is not JSON, or has one name twice");
  }
  const unknown = Object.keys(members).find((name) => !MEMBERS.includes(name));
  if (unknown !== undefined) {
    throw new NotARecord(`unknown member ${JSON.stringify(unknown)}`);
  }
  return {
    publisher: readText(members, "publisher"),
    subject: readSubject(members["subject"]),
    level: readEnum(members, "level", Level, "LEVEL_"),
    scope: readEnum(members, "scope", Scope, "SCOPE_"),
    effective_at: readTime(members, "effective_at"),
    expires_at: (members["expires_at"] ?? null) === null ? undefined : readTime(members, "expires_at"),
    revision: readRevision(members["revision"]),
    published_at: undefined,
  };
}

function asObject(value: unknown, what: string): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new NotARecord(`${what} is not an object`);
  }
  return value as Members;
}

/** A half of a surrogate pair has no UTF-8: what would be sent in its place is another text. */
function readText(members: Members, name: string): string {
  const value = members[name];
  if (typeof value !== "string" || !value.isWellFormed()) {
    throw new NotARecord(`${name} is not text`);
  }
  return value;
}

function readSubject(value: unknown): SubjectRef {
  const members = asObject(value, "subject");
  const [kind, ...others] = Object.keys(members);
  if (others.length === 0 && (kind === "pseudonym" || kind === "code")) {
    const bytes = readBase64(members, kind);
    return {
      subject: kind === "code" ? { $case: "code", value: bytes } : { $case: "pseudonym", value: bytes },
    };
  }
  if (others.length === 0 && kind === "local") {
    const local = asObject(members[kind], "subject.local");
    if (Object.keys(local).length === 2) {
      return { subject: { $case: "local", value: { region: readText(local, "region"), id: readText(local, "id") } } };
    }
  }
  throw new NotARecord("subject is not one of pseudonym, local and code");
}

/** RFC 4648, section 4. */
function readBase64(members: Members, name: string): Buffer {
  const text = readText(members, name);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) {
    throw new NotARecord(`${name} is not base64`);
  }
  return bytes;
}

function readEnum<E>(members: Members, name: string, values: Readonly<Record<string, string | E>>, prefix: string): E {
  const word = String(members[name]);
  const full = word.startsWith(prefix) ? word : prefix + word;
  const value = Object.hasOwn(values, full) ? values[full] : undefined;
  if (value === undefined || typeof value === "string") {
    throw new NotARecord(`${name} is missing or unknown`);
  }
  return value;
}

function readRevision(value: unknown): bigint {
  const digits = typeof value === "number" || typeof value === "string" ? String(value) : "";
  if (!/^[0-9]{1,20}$/.test(digits)) {
    throw new NotARecord("revision is neither a whole number nor its digits as text");
  }
  const revision = BigInt(digits);
  if (revision >= REVISIONS_END) {
    throw new NotARecord("revision is not in the range of uint64");
  }
  return revision;
}

/** RFC 3339, section 5.6, with an offset that may lack its colon. Unix time has no leap seconds. */
const RFC_3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?([Zz]|([+-])([01]\d|2[0-3]):?([0-5]\d))$/;

function readTime(members: Members, name: string): Timestamp {
  const value = members[name];
  const parts = typeof value === "string" && value.length <= 64 ? RFC_3339.exec(value) : null;
  const [, day = "", time = "", fraction = "", , sign = "+", hours = "0", minutes = "0"] = parts ?? [];
  const local = Date.parse(`${day}T${time}Z`);
  // Date.parse takes the 30th of February for the 2nd of March.
  if (parts === null || Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== day) {
    throw new NotARecord(`${name} is not a time of RFC 3339, with an offset`);
  }
  const offset = (Number(hours) * 60 + Number(minutes)) * 60 * (sign === "-" ? -1 : 1);
  const seconds = local / 1000 - offset;
  if (seconds < 0 || seconds >= 253_402_300_800) {
    throw new NotARecord(`${name} is out of range, the years 1970 to 9999`);
  }
  return { seconds: BigInt(seconds), nanos: Number(fraction.slice(0, 9).padEnd(9, "0")) };
}

/** A string, a number, or a mark of the structure (RFC 8259, section 2). */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[{}[\]:,]/gs;
/** A number holds fifteen digits exactly. */
const EXACT_DIGITS = 15;

/**
 * Returns the value of JSON text. JSON.parse alone would take the last of two members with one name, and round large
 * numbers. A whole number of more than fifteen digits is its digits as a string, as protobuf's JSON writes it.
 *
 * @throws SyntaxError for text that is not JSON, and for an object that has one name twice
 */
function parseStrict(text: string): unknown {
  JSON.parse(text); // what follows relies on the syntax
  // The names of each open object; an array has none.
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  const exact = text.replace(TOKEN, (token) => {
    const names = open.at(-1);
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : undefined);
    } else if (token === "}" || token === "]") {
      open.pop();
    } else if (isName && names !== undefined && token.startsWith('"')) {
      const name = JSON.parse(token) as string;
      if (names.has(name)) {
        throw new SyntaxError(`the name ${token} occurs twice in one object`);
      }
      names.add(name);
    }
    isName = token === "{" || (token === "," && open.at(-1) !== undefined);
    return /^[0-9]+$/.test(token) && token.length > EXACT_DIGITS ? `"${token}"` : token;
  });
  return JSON.parse(exact);
}
