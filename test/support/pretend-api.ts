/** A real API over HTTP on a free port of loopback, in front of a pretend face. */
import { type Api, startApi } from "../../agent/api/index.ts";
import { type Client, createClient } from "../../shared/client.ts";
import type { JobId } from "../../shared/ids.ts";
import { PretendFace, sha256 } from "./pretend-face.ts";

export interface PretendApi {
  face: PretendFace;
  api: Api;
  client: Client;
  /** What the API told the log. */
  logged: { event: string; facts: Record<string, unknown> }[];
}

export async function startPretendApi(
  options: { face?: PretendFace; token?: string; host?: string; port?: number } = {},
): Promise<PretendApi> {
  const { face = new PretendFace(), host = "127.0.0.1", port = 0, token } = options;
  const logged: PretendApi["logged"] = [];
  const telemetry = {
    log: (_level: string, event: string, facts: Record<string, unknown>) => logged.push({ event, facts }),
  };
  const api = await startApi(face, { host, port, telemetry, ...(token === undefined ? {} : { token }) });
  const client = createClient({ url: api.url, fetch, ...(token === undefined ? {} : { token }) });
  return { face, api, client, logged };
}

/** A job of four pages, three of which are recorded. */
export async function submitHalfDone({ client, face }: PretendApi): Promise<JobId> {
  const page = new TextEncoder().encode("text");
  const blob = sha256(page);
  await client.putBlob(blob, page);
  const inputs = [1, 2, 3, 4].map((i) => ({ name: `p${i}.png`, blob, bytes: page.length }));
  const { jobId } = await client.jobSubmit({ pipeline: "ocr", inputs });
  face.record(jobId, 3);
  return jobId;
}
