import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SkeinError } from "../../../shared/errors.ts";
import type { FirmwareProfile } from "../../../shared/profile.ts";
import { readFirmwareProfile } from "../../../shared/profile-reader.ts";
import type { Board } from "./board.ts";

/** The project's own profiles: beside package.json, which is further up from the built files than from the sources. */
export function ownProfilesDir(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); dir !== dirname(dir); dir = dirname(dir))
    if (existsSync(join(dir, "package.json")) && existsSync(join(dir, "firmware-profiles")))
      return join(dir, "firmware-profiles");
  throw new SkeinError("INTERNAL", { reason: "the folder firmware-profiles is missing from this installation" });
}

/** Every profile of a folder. @throws INTERNAL with the file and the field, if one cannot be read. */
export async function readProfiles(dir: string): Promise<FirmwareProfile[]> {
  const files = (await readdir(dir)).filter((file) => file.endsWith(".json") && file !== "schema.json").sort();
  return await Promise.all(
    files.map(async (file) => {
      try {
        return readFirmwareProfile(JSON.parse(await readFile(join(dir, file), "utf8")));
      } catch (error) {
        const reason = `${join(dir, file)} is not a firmware profile: ${(error as Error).message}`;
        throw new SkeinError("INTERNAL", { reason }, { cause: error });
      }
    }),
  );
}

export interface ProfileMatch {
  profile: FirmwareProfile;
  reason: string;
}

/**
 * The profile of the highest priority that fits; at equal priority the first by name, so that every start decides alike.
 * @throws INTERNAL if none fits, not even a generic one.
 */
export function matchProfile(board: Board, profiles: readonly FirmwareProfile[]): ProfileMatch {
  const matches = profiles
    .flatMap((profile) => {
      const reason = reasonToMatch(board, profile);
      return reason === undefined ? [] : [{ profile, reason }];
    })
    .sort((a, b) => b.profile.priority - a.profile.priority || (a.profile.name < b.profile.name ? -1 : 1));
  if (!matches[0])
    throw new SkeinError("INTERNAL", {
      reason: `no firmware profile fits this ${board.arch} machine (${board.model})`,
    });
  return matches[0];
}

function reasonToMatch(board: Board, { recognise, title }: FirmwareProfile): string | undefined {
  if (recognise.arch !== "any" && recognise.arch !== board.arch) return undefined;
  const said: [patterns: string[] | undefined, where: string, words: string][] = [
    [recognise.deviceTree, "the device tree", board.deviceTree],
    [recognise.dmi, "the DMI table", board.dmi],
    [recognise.cpu, "the CPU", board.cpuModel],
  ];
  for (const [patterns, where, words] of said)
    for (const pattern of patterns ?? [])
      if (new RegExp(pattern, "i").test(words)) return `${where} says "${words}", which the profile "${title}" knows`;
  if (said.some(([patterns]) => patterns)) return undefined;
  return `no more special profile knows "${board.model}", so "${title}" stands in`;
}
