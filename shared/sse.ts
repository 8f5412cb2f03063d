/** Reading a stream of server-sent events (WHATWG HTML, section 9.2): its lines, watched for silence. */
import { SkeinError } from "./errors.ts";

/**
 * Lines without their ends. Comment lines (heartbeats) come too, so that each line is a sign of life.
 * @throws DEADLINE_EXCEEDED when nothing came for `silenceMs`; TOO_LARGE when a line is over `lineLengthMax`.
 */
export async function* linesOf(
  body: ReadableStream<Uint8Array>,
  silenceMs: number,
  lineLengthMax: number,
): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await within(reader.read(), silenceMs);
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r/);
      rest = lines.pop() ?? "";
      if (rest.length > lineLengthMax)
        throw new SkeinError("TOO_LARGE", {
          what: "A line of the event stream",
          actual: rest.length,
          limit: lineLengthMax,
        });
      yield* lines;
    }
  } finally {
    await reader.cancel().catch(() => {
      // The stream broke already; that error is on its way to the caller.
    });
  }
}

function within<T>(promise: Promise<T>, silenceMs: number): Promise<T> {
  const timeout = AbortSignal.timeout(silenceMs);
  const silence = new Promise<never>((_, reject) => {
    const say = () => reject(new SkeinError("DEADLINE_EXCEEDED", { what: "The event stream", deadlineMs: silenceMs }));
    timeout.addEventListener("abort", say, { once: true });
  });
  return Promise.race([promise, silence]);
}
