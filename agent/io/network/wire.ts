/**
 * What this room itself says to its like on other boxes, in protobuf. Rules for changing it: a field's number is for ever,
 * a new field must have a meaning when absent, and a reader refuses a version it does not know.
 */
import protobuf from "protobufjs";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";

const SCHEMA = `
syntax = "proto3";
message Frame {
  uint32 version = 1;
  oneof kind {
    Hello hello = 2;
    Heartbeat heartbeat = 3;
    Request request = 4;
    Answer answer = 5;
    Failure failure = 6;
  }
}
message Hello { string name = 1; repeated string addresses = 2; }
// echo: the newest sequence heard from the other side, and how long it was held here before this was sent.
message Heartbeat { uint32 sequence = 1; uint32 echo = 2; uint32 heldMicros = 3; }
message Request { uint32 id = 1; string method = 2; bytes body = 3; }
message Answer { uint32 id = 1; bytes body = 2; }
message Failure { uint32 id = 1; string code = 2; string factsJson = 3; }

// length: absent or 0, up to the end.
message BlobQuestion { uint32 version = 1; bytes hash = 2; double offset = 3; double length = 4; }
message BlobHeader { uint32 version = 1; double bytes = 2; Failure failure = 3; }

message Beacon { uint32 version = 1; string nodeId = 2; repeated string addresses = 3; }

message KnockFrame {
  uint32 version = 1; string inviteId = 2; string secret = 3; string nodeId = 4; string name = 5; repeated string addresses = 6;
  bool witness = 7;
}
message RosterLine { string nodeId = 1; string name = 2; repeated string addresses = 3; double admittedAtIndex = 4; bool witness = 5; }
message WelcomeFrame {
  uint32 version = 1; string fleetId = 2; string fleetName = 3; string fleetSecret = 4; repeated RosterLine roster = 5;
  Failure failure = 6;
}
`;

const root = protobuf.parse(SCHEMA, { keepCase: true }).root;
const VERSION = 1;

export interface Failure {
  id: number;
  code: string;
  factsJson: string;
}
export interface Hello {
  name: string;
  addresses: string[];
}
export interface Heartbeat {
  sequence: number;
  echo: number;
  heldMicros: number;
}
export interface Request {
  id: number;
  method: string;
  body: Uint8Array;
}
export interface Answer {
  id: number;
  body: Uint8Array;
}
/** Exactly one is present. */
export interface Frame {
  hello?: Hello;
  heartbeat?: Heartbeat;
  request?: Request;
  answer?: Answer;
  failure?: Failure;
}
export interface BlobQuestion {
  hash: Uint8Array;
  offset: number;
  length?: number;
}
export interface BlobHeader {
  bytes: number;
  failure?: Failure;
}
export interface Beacon {
  nodeId: string;
  addresses: string[];
}
export interface KnockFrame {
  inviteId: string;
  secret: string;
  nodeId: string;
  name: string;
  addresses: string[];
  witness: boolean;
}
export interface WelcomeFrame {
  fleetId: string;
  fleetName: string;
  fleetSecret: string;
  roster: { nodeId: string; name: string; addresses: string[]; admittedAtIndex: number; witness: boolean }[];
  failure?: Failure;
}

interface Message<T> {
  encode(fields: T): Uint8Array;
  /** Every scalar and list is present, at its zero value if the sender left it out. @throws FRAME_INVALID */
  decode(bytes: Uint8Array): T;
}

function message<T>(name: string): Message<T> {
  const type = root.lookupType(name);
  return {
    encode: (fields) => type.encode({ version: VERSION, ...fields } as Record<string, unknown>).finish(),
    decode(bytes) {
      let decoded: T & { version: number };
      try {
        decoded = type.decode(bytes) as unknown as T & { version: number };
      } catch (error) {
        throw invalid(`${name} does not decode (${error instanceof Error ? error.message : String(error)})`);
      }
      if (decoded.version !== VERSION)
        throw invalid(`${name} has version ${decoded.version}; this agent knows ${VERSION}`);
      return decoded;
    },
  };
}

const frame = message<Frame>("Frame");
/** What protobufjs gives for bytes that were left out is an empty list, not empty bytes. */
const wholeBytes = (bytes: Uint8Array): Uint8Array => (bytes.length === 0 ? new Uint8Array(0) : bytes);

export const WIRE = {
  frame: {
    encode: frame.encode,
    decode(bytes): Frame {
      const decoded = frame.decode(bytes);
      const carrier = decoded.request ?? decoded.answer;
      if (carrier) carrier.body = wholeBytes(carrier.body);
      return decoded;
    },
  } as Message<Frame>,
  blobQuestion: message<BlobQuestion>("BlobQuestion"),
  blobHeader: message<BlobHeader>("BlobHeader"),
  beacon: message<Beacon>("Beacon"),
  knock: message<KnockFrame>("KnockFrame"),
  welcome: message<WelcomeFrame>("WelcomeFrame"),
};

/** The room's words for a peer's bad bytes; whoever knows the peer adds its name. */
export const invalid = (reason: string): SkeinError => new SkeinError("FRAME_INVALID", { peer: "a peer", reason });

/** An error on its way to a peer. Facts that do not fit are left behind: the code says what matters. */
export function failureOf(id: number, error: SkeinError): Failure {
  const factsJson = JSON.stringify(error.facts);
  return { id, code: error.code, factsJson: factsJson.length <= LIMITS.factsBytesMax ? factsJson : "{}" };
}

/** An error that came from a peer. Anything that is not one becomes INTERNAL. */
export function errorOf(failure: Failure): SkeinError {
  let facts: unknown = {};
  try {
    facts = JSON.parse(failure.factsJson);
  } catch {
    // The code alone is still worth passing on.
  }
  return SkeinError.from({ code: failure.code, message: failure.code, facts });
}
