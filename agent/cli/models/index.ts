/** `skein model`: taken in from a file, a folder or a stick, shown, named, written out, and taken away. */

import { SkeinError } from "../../../shared/errors.ts";
import { checkAlias, checkModelName, modelReference } from "../../../shared/model.ts";
import { print } from "../calls.ts";
import { type CommonOptions, wholeNumber } from "../options.ts";
import { plain, plural } from "../table.ts";
import type { World } from "../world.ts";
import { type Added, addToFleet, type ModelOnDisk, modelClient } from "./add.ts";
import { digestOfModel, exportModel, type FoundModel, faultOf, findModels, placeOf } from "./exchange.ts";
import { gatherModel } from "./gather.ts";
import { describeModel, describeModels } from "./text.ts";

interface AddOptions extends CommonOptions {
  name?: string;
  version?: string;
}

const VERSION_MAX = 1_000_000;

export async function add(path: string, options: AddOptions, world: World): Promise<number> {
  const version = options.version === undefined ? undefined : wholeNumber(options.version, "--version", 1, VERSION_MAX);
  const model = await gatherModel(path, options.name);
  const client = await modelClient(options, world);
  const added = await addToFleet(client, { ...model, ...(version !== undefined && { version }) }, world);
  return print(options, world, added, addedText(added));
}

const addedText = ({ model, existing }: Added): string =>
  existing ? `${plain(model)} is there already, with the same files.\n` : `${plain(model)} is added.\n`;

export async function list(options: CommonOptions, world: World): Promise<number> {
  const client = await modelClient(options, world);
  const models = await client.call((one) => one.models());
  return print(options, world, models, describeModels(models));
}

export async function show(model: string, options: CommonOptions, world: World): Promise<number> {
  const client = await modelClient(options, world);
  const detail = await client.call((one) => one.model(model));
  return print(options, world, detail, describeModel(detail));
}

export async function remove(
  model: string,
  options: CommonOptions & { force?: boolean },
  world: World,
): Promise<number> {
  const client = await modelClient(options, world);
  const answer = await client.call((one) => one.modelRemove(model, options.force ? "true" : ""));
  const jobs = answer.cancelled.map(plain).join(", ");
  const cancelled = jobs === "" ? "" : ` Cancelled with it: ${jobs}.`;
  const text = `${plain(answer.removed)} is removed; every box lets go of what only it stood on.${cancelled}\n`;
  return print(options, world, answer, text);
}

export async function alias(
  name: string,
  as: string,
  version: string,
  options: CommonOptions,
  world: World,
): Promise<number> {
  const meant = wholeNumber(version, "VERSION", 0, VERSION_MAX);
  const client = await modelClient(options, world);
  const answer = await client.call((one) => one.modelAlias(checkModelName(name), checkAlias(as), { version: meant }));
  const text = meant === 0 ? "means nothing any more" : `means version ${meant} from now on`;
  return print(options, world, answer, `${plain(answer.alias)} ${text}.\n`);
}

export async function write(model: string, dir: string, options: CommonOptions, world: World): Promise<number> {
  const client = await modelClient(options, world);
  const exported = await exportModel(client, model, dir);
  const text = exported.existing ? "is there already, whole" : "is written";
  return print(options, world, exported, `${plain(exported.model)} ${text}: ${plain(exported.folder)}\n`);
}

/** All that is there is checked before the first byte is sent. */
export async function read(dir: string, options: CommonOptions, world: World): Promise<number> {
  const client = await modelClient(options, world);
  const found = await findModels(dir);
  const known = new Map((await client.call((one) => one.models())).map(({ model, digest }) => [model, digest]));
  const fresh: FoundModel[] = [];
  for (const one of found) {
    const model = modelReference(one.manifest);
    if (known.has(model) && known.get(model) !== digestOfModel(one.manifest))
      throw new SkeinError("MODEL_EXISTS", { model });
    if (!known.has(model)) fresh.push(one);
  }
  for (const one of fresh) {
    const reason = await faultOf(one);
    if (reason !== undefined) throw new SkeinError("MODEL_REFUSED", { model: modelReference(one.manifest), reason });
  }
  const answers: Added[] = [];
  for (const one of found)
    answers.push(
      fresh.includes(one)
        ? await addToFleet(client, onDisk(one), world)
        : { model: modelReference(one.manifest), existing: true },
    );
  const count = answers.filter(({ existing }) => !existing).length;
  const text = `${answers.map(addedText).join("")}${plural(count, "model")} of ${answers.length} came in.\n`;
  return print(options, world, answers, text);
}

const onDisk = ({ folder, manifest }: FoundModel): ModelOnDisk => ({
  name: manifest.name,
  version: manifest.version,
  files: manifest.files.map(({ path, blob, bytes, use }) => ({ path, blob, bytes, use, at: placeOf(folder, path) })),
});
