/** Pipelines that come with Skein, or lie in a folder like theirs: pipeline.yaml, and the models that it stands on beside it. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import { packageRoot } from "../package-root.ts";

export interface Application {
  name: string;
  /** Its definition. */
  file: string;
  /** A folder each, named as the model; they are version 1. */
  models: { name: string; folder: string }[];
}

/** Of what comes with an application: whoever changes a model of one gives it another name. */
export const FIRST_VERSION = 1;
const PIPELINE = "pipeline.yaml";
const bundledFolder = (): string => join(packageRoot(), "agent", "applications");

/** Their names, sorted. */
export async function bundledApplications(): Promise<string[]> {
  const folders = await foldersIn(bundledFolder());
  const found: string[] = [];
  for (const name of folders) if (await isFile(join(bundledFolder(), name, PIPELINE))) found.push(name);
  return found;
}

/** Undefined if there is none of that name. */
export async function bundledApplication(name: string): Promise<Application | undefined> {
  return (await bundledApplications()).includes(name) ? applicationIn(join(bundledFolder(), name)) : undefined;
}

/** What a person names: a file, a folder that holds pipeline.yaml, or an application by its name. @throws FOLDER_MISSING */
export async function applicationAt(named: string): Promise<Application> {
  const path = resolve(named);
  const kind = await stat(path).catch(() => undefined);
  if (kind?.isFile()) return { name: basename(path), file: path, models: [] };
  if (kind?.isDirectory() && (await isFile(join(path, PIPELINE)))) return applicationIn(path);
  const bundled = await bundledApplication(named);
  if (bundled) return bundled;
  throw new SkeinError("PIPELINE_FILE_MISSING", { path: named, known: await bundledApplications() });
}

async function applicationIn(folder: string): Promise<Application> {
  const models = await foldersIn(join(folder, "models"));
  return {
    name: basename(folder),
    file: join(folder, PIPELINE),
    models: models.map((name) => ({ name, folder: join(folder, "models", name) })),
  };
}

/** Files and folders that show how an application is run, as a person would type them. */
export async function samplesOf({ file }: Application): Promise<string[]> {
  const folder = join(dirname(file), "samples");
  const names = await readdir(folder).catch(() => []);
  const shown = names.filter((name) => !name.startsWith(".") && !/\.md$/i.test(name)).sort();
  const tables = shown.filter((name) => /\.(csv|jsonl)$/i.test(name));
  return tables.length > 0 ? tables.map((name) => join(folder, name)) : shown.length > 0 ? [folder] : [];
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name)
    .sort();
}

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() === true;
