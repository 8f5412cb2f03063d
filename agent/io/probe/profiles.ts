import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { OtherProfile, RefusedProfile } from "../../../shared/box.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { type FirmwareProfile, profileForMemory } from "../../../shared/profile.ts";
import { readFirmwareProfile } from "../../../shared/profile-reader.ts";
import type { Board } from "./board.ts";

/** The project's profiles: beside package.json, which is further up from the built files than from the sources. */
export function builtInProfilesDir(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); dir !== dirname(dir); dir = dirname(dir))
    if (existsSync(join(dir, "package.json")) && existsSync(join(dir, "firmware-profiles")))
      return join(dir, "firmware-profiles");
  throw new SkeinError("INTERNAL", { reason: "the folder firmware-profiles is missing from this installation" });
}

export interface ProfilesRead {
  profiles: FirmwareProfile[];
  /** Files that are no profile, each with the field and what was meant. */
  refused: RefusedProfile[];
}

/** Of one folder, and of one file: profiles are few and small, and what is not must not hold the start up. */
const FILES_MAX = 100;
const FILE_BYTES_MAX = 100_000;

/**
 * The project's profiles and, in their place or beside them, the user's own: one of the same name replaces the project's.
 * A broken file of the user's is left out and told of; a folder that is not there holds none.
 * @throws INTERNAL with the file and the field, if one of the project's cannot be read.
 */
export async function readProfiles(builtInDir: string, ownDir?: string): Promise<ProfilesRead> {
  const builtIn = await readFolder(builtInDir);
  const [broken] = builtIn.refused;
  if (broken)
    throw new SkeinError("INTERNAL", { reason: `${broken.file} is not a firmware profile: ${broken.reason}` });
  const own = ownDir === undefined ? { profiles: [], refused: [] } : await readFolder(ownDir);
  const byName = new Map([...builtIn.profiles, ...own.profiles].map((profile) => [profile.name, profile]));
  return { profiles: [...byName.values()], refused: own.refused };
}

async function readFolder(dir: string): Promise<ProfilesRead> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith(".json") && name !== "schema.json").sort();
  const read: ProfilesRead = { profiles: [], refused: [] };
  for (const name of files) {
    const file = join(dir, name);
    try {
      if (read.profiles.length >= FILES_MAX) throw new Error(`more than ${FILES_MAX} files are not read`);
      const { size } = await stat(file);
      if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes are too many for a profile`);
      read.profiles.push(readFirmwareProfile(JSON.parse(await readFile(file, "utf8"))));
    } catch (error) {
      const reason = error instanceof SkeinError ? error.facts.reason : undefined;
      read.refused.push({ file, reason: typeof reason === "string" ? reason : (error as Error).message });
    }
  }
  return read;
}

export interface ProfileMatch {
  /** With the figures of its variant for this box's memory. */
  profile: FirmwareProfile;
  reason: string;
  /** Those that fit too, the next first; then those that know the box by name and were made for another kind of system. */
  others: OtherProfile[];
}

/**
 * The profile of the highest priority that fits; at equal priority the first by name, so that every start decides alike.
 * @throws INTERNAL if none fits, not even a generic one.
 */
export function matchProfile(board: Board, profiles: readonly FirmwareProfile[]): ProfileMatch {
  const ranked = profiles.toSorted((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
  const looked = ranked.map((profile) => ({ profile, ...lookAt(board, profile) }));
  const [best, ...next] = looked.filter(({ hindrance, reason }) => !hindrance && reason);
  if (!best)
    throw new SkeinError("INTERNAL", {
      reason: `no firmware profile fits this ${board.arch} machine (${board.model})`,
    });
  const hindered = looked.filter(({ hindrance, reason, isByName }) => hindrance && reason && isByName);
  return {
    profile: profileForMemory(best.profile, board.memoryBytes),
    reason: best.reason!,
    others: [
      ...next.map(({ profile, reason, isLast }) => ({
        name: profile.name,
        priority: profile.priority,
        reason: isLast ? `it stands in for any ${board.arch} machine` : reason!,
      })),
      ...hindered.map(({ profile, reason, hindrance }) => ({
        name: profile.name,
        priority: profile.priority,
        reason: `${reason!}, but it is for ${hindrance}`,
        hindrance: hindrance!,
      })),
    ],
  };
}

interface Look {
  /** Why it fits, if its patterns do. */
  reason?: string;
  isByName?: boolean;
  /** It knows nothing of this box but its architecture. */
  isLast?: boolean;
  /** What the profile asks for and this box is not. */
  hindrance?: string;
}

function lookAt(board: Board, profile: FirmwareProfile): Look {
  const hindrance = hindranceOf(board, profile);
  return { ...reasonToMatch(board, profile), ...(hindrance && { hindrance }) };
}

function hindranceOf(board: Board, { recognise }: FirmwareProfile): string | undefined {
  const { arch, virtual, portable } = recognise;
  if (arch === "any" ? !["x64", "arm64"].includes(board.arch) : arch !== board.arch)
    return arch === "any" ? "x64 and arm64" : `${arch} systems`;
  if (virtual !== undefined && virtual !== board.virtual) return virtual ? "virtual machines" : "bare machines";
  if (portable !== undefined && portable !== board.portable)
    return portable ? "laptops" : "boxes that stay where they are";
  return undefined;
}

function reasonToMatch(board: Board, { recognise, title }: FirmwareProfile): Omit<Look, "hindrance"> {
  const said: [patterns: string[] | undefined, where: string, words: string][] = [
    [recognise.deviceTree, "the device tree", board.deviceTree],
    [recognise.dmi, "the DMI table", board.dmi],
    [recognise.cpu, "the CPU", board.cpuModel],
  ];
  for (const [patterns, where, words] of said)
    for (const pattern of patterns ?? [])
      if (new RegExp(pattern, "i").test(words))
        return { reason: `${where} says "${words}", which the profile "${title}" knows`, isByName: true };
  if (said.some(([patterns]) => patterns)) return {};
  if (recognise.virtual) return { reason: `it runs in a virtual machine, so the profile "${title}" holds` };
  if (recognise.portable) return { reason: `its chassis is a portable one, so the profile "${title}" holds` };
  return { reason: `no more special profile knows "${board.model}", so "${title}" stands in`, isLast: true };
}
