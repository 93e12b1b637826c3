import assert from "node:assert/strict";
import { test } from "node:test";
import { Level, Scope } from "../generated/onecode/v1/status.js";
import { NotARecord, readRecord } from "../src/status_records.js";

const RECORD = {
  publisher: "420000",
  subject: { local: { region: "420000", id: "wang" } },
  level: "RED",
  scope: "NATIONAL",
  effective_at: "2025-01-01T08:00:00Z",
  revision: 1,
};

function refused(line: string, message: RegExp): void {
  assert.throws(
    () => readRecord(line),
    (error: Error) => error instanceof NotARecord && message.test(error.message),
  );
}

function with_(changes: object): string {
  return JSON.stringify({ ...RECORD, ...changes });
}

test("a record has the members of the proto, and its enums may leave out their prefix", () => {
  const short = readRecord(JSON.stringify(RECORD));
  assert.deepEqual(short, readRecord(with_({ level: "LEVEL_RED", scope: "SCOPE_NATIONAL", expires_at: null })));
  assert.equal(short.level, Level.LEVEL_RED);
  assert.equal(short.scope, Scope.SCOPE_NATIONAL);
  assert.deepEqual(short.effective_at, { seconds: 1_735_718_400n, nanos: 0 });
  assert.equal(short.expires_at, undefined);
  assert.deepEqual(short.subject?.subject, { $case: "local", value: { region: "420000", id: "wang" } });
});

test("a revision is exact up to its last digit", () => {
  const line = JSON.stringify(RECORD).replace('"revision":1', '"revision":9007199254740993');
  assert.equal(readRecord(line).revision, 9_007_199_254_740_993n);
  assert.equal(readRecord(with_({ revision: "18446744073709551615" })).revision, (1n << 64n) - 1n);
  for (const revision of ["18446744073709551616", -1, 1.5, true, null, "1e3", ""]) {
    refused(with_({ revision }), /revision/);
  }
});

test("a time has an offset and a day that there is", () => {
  const at = (effective_at: unknown) => readRecord(with_({ effective_at })).effective_at;
  assert.deepEqual(at("2025-01-01t16:00:00.1234567890+0800"), { seconds: 1_735_718_400n, nanos: 123_456_789 });
  assert.deepEqual(at("2024-12-31 22:30:00-09:30"), { seconds: 1_735_718_400n, nanos: 0 });
  const wrong = [
    ...["2025-01-01T08:00:00", "2025-02-30T08:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01T08:00:60Z"],
    ...["1969-12-31T23:59:59Z", "2025-1-1T08:00:00Z", 1_735_718_400, undefined],
  ];
  for (const effective_at of wrong) {
    refused(with_({ effective_at }), /effective_at/);
  }
});

test("a subject is named in exactly one way", () => {
  const subject = (value: unknown) => readRecord(with_({ subject: value })).subject?.subject;
  assert.deepEqual(subject({ pseudonym: "AAEC" }), { $case: "pseudonym", value: Buffer.from([0, 1, 2]) });
  assert.deepEqual(subject({ code: "" }), { $case: "code", value: Buffer.alloc(0) });
  const wrong = [
    ...[{}, { code: "AAEC", pseudonym: "AAEC" }, { code: "A" }, { code: "AA EC" }, { code: "AAE" }, [], "x", undefined],
    ...[{ local: { region: "420000" } }, { local: { region: "420000", id: "\ud800" } }, { name: "wang" }],
  ];
  for (const value of wrong) {
    refused(with_({ subject: value }), /subject|base64|id is not text/);
  }
});

test("a member that is unknown, there twice or inherited is refused", () => {
  refused(with_({ levle: "RED" }), /unknown member "levle"/);
  refused(JSON.stringify(RECORD).replace("{", '{"publisher":"110000",'), /twice/);
  refused(JSON.stringify(RECORD).replace('"id"', '"region":"1","\\u0069d":"2","id"'), /twice/);
  refused(with_({ level: "toString" }), /level/);
  refused(with_({ level: "UNRECOGNIZED" }), /level/);
});

test("what is no JSON object is refused, and not quoted", () => {
  for (const line of ["secret", "[]", "null", '"secret"', "{", `${"[".repeat(60_000)}`]) {
    refused(line, /^it is not/);
  }
});
