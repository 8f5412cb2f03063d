import { describe, expect, test } from "vitest";
import { fnv1a } from "../../../../shared/text/ngrams.ts";
import { floats, json, numbersOf, plain, run } from "./running.ts";

/** As the tests of BERT's own tokenizer have it (google-research/bert, tokenization_test.py). */
const WORDS = ["[UNK]", "[CLS]", "[SEP]", "want", "##want", "##ed", "wa", "un", "runn", "##ing", ","];
const wordpiece = JSON.stringify({
  added_tokens: WORDS.slice(0, 3).map((content, id) => ({ id, content, special: true })),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: { type: "BertProcessing", sep: ["[SEP]", 2], cls: ["[CLS]", 1] },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    ...{ type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100 },
    vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
  },
});

/** As the tests of GPT-2's tokenizer have it (huggingface/transformers, test_tokenization_gpt2.py). */
const PIECES = [
  "l",
  "o",
  "w",
  "e",
  "r",
  "s",
  "t",
  "i",
  "d",
  "n",
  "Ġ",
  "Ġl",
  "Ġn",
  "Ġlo",
  "Ġlow",
  "er",
  "Ġlowest",
  "Ġnewer",
];
const bpe = JSON.stringify({
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    ...{ type: "BPE", dropout: null, unk_token: null, fuse_unk: false },
    vocab: Object.fromEntries(PIECES.map((piece, id) => [piece, id])),
    merges: ["Ġ l", "Ġl o", "Ġlo w", "e r"],
  },
});

describe("tokens", () => {
  test("WordPiece takes words apart as BERT's own tests have it", async () => {
    const file = { files: { tokenizer: wordpiece } };
    const { ids, tokens, mask } = await run("text/wordpiece@1", { text: json("UNwantéd, running") }, file);
    expect(plain(tokens)).toEqual(["[CLS]", "un", "##want", "##ed", ",", "runn", "##ing", "[SEP]"]);
    expect(numbersOf(ids)).toEqual([1, 7, 4, 5, 10, 8, 9, 2]);
    expect(numbersOf(mask)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    const unknown = await run(
      "text/wordpiece@1",
      { text: json("unwantedX running") },
      { ...file, with: { special: false } },
    );
    expect(plain(unknown.tokens)).toEqual(["[UNK]", "runn", "##ing"]);
    const cut = await run("text/wordpiece@1", { text: json("unwanted, running") }, { ...file, with: { lengthMax: 4 } });
    expect(plain(cut.tokens)).toEqual(["[CLS]", "un", "##want", "[SEP]"]);
  });

  test("byte pairs are joined as GPT-2's tests have it", async () => {
    const { ids } = await run("text/bpe@1", { text: json("lower newer") }, { files: { tokenizer: bpe } });
    expect(numbersOf(ids)).toEqual([14, 15, 10, 9, 3, 2, 15]);
    const cut = await run(
      "text/bpe@1",
      { text: json("lower newer") },
      { files: { tokenizer: bpe }, with: { lengthMax: 3 } },
    );
    expect(numbersOf(cut.ids)).toEqual([14, 15, 10]);
  });

  test("a file of another kind is refused", async () => {
    await expect(async () => run("text/bpe@1", {}, { files: { tokenizer: wordpiece } })).rejects.toThrow(
      'must be of a BPE model, not "WordPiece"',
    );
    await expect(async () => run("text/wordpiece@1", {}, { files: { tokenizer: "{}" } })).rejects.toThrow("not null");
  });
});

describe("hashed n-grams and words", () => {
  const vocabulary = JSON.stringify({ words: ["hello", "world"], buckets: 10, wordNgrams: [2] });

  test("words have the ids of the vocabulary, their pairs the bucket of their hash (FNV-1a)", async () => {
    expect(fnv1a("foobar")).toBe(0xbf9cf968);
    const { ids } = await run("text/ngrams@1", { text: json("Hello, strange WORLD") }, { files: { vocabulary } });
    expect(numbersOf(ids)).toEqual([2, 1, 3, 4 + (fnv1a("hello_strange") % 10), 4 + (fnv1a("strange_world") % 10)]);
    expect(numbersOf((await run("text/ngrams@1", { text: json("") }, { files: { vocabulary } })).ids)).toEqual([1]);
  });

  test("each word has its place, its id and what it looks like", async () => {
    const given = await run("text/words@1", { text: json("Hello IBM") }, { files: { vocabulary } });
    expect(plain(given.tokens)).toEqual([
      { text: "Hello", from: 0, to: 5 },
      { text: "IBM", from: 6, to: 9 },
    ]);
    expect(numbersOf(given.ids)).toEqual([2, 1]);
    expect(plain(given.shapes)).toEqual({ shape: [1, 2, 7], values: [1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0] });
    expect(given.affixes).toMatchObject({ shape: [1, 2, 4] });
    expect((await run("text/words@1", { text: json("  ") }, { files: { vocabulary } })).ids).toMatchObject({
      shape: [1, 1],
    });
  });

  test("names are cut out of the text from labels as IOB2 has them", async () => {
    const text = "Ann Lee of Acme Corp met Bo";
    const tokens = json(
      [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => ({ text: word, from: index, to: index + word.length })),
    );
    const labels = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"];
    const best = ["B-PER", "I-PER", "O", "I-ORG", "I-ORG", "O", "B-PER"].map((label) => labels.indexOf(label));
    const scores = floats(
      [1, 7, 5],
      best.flatMap((column) => labels.map((_, i) => (i === column ? 0.8 : 0.05))),
    );
    const { entities, byLabel } = await run(
      "text/entities@1",
      { tokens, scores, text: json(text) },
      { with: { labels } },
    );
    const found = plain(entities) as { text: string; label: string; score: number }[];
    expect(found.map(({ text: name, label }) => [name, label])).toEqual([
      ["Ann Lee", "PER"],
      ["Acme Corp", "ORG"],
      ["Bo", "PER"],
    ]);
    expect(found[0]!.score).toBeCloseTo(0.8);
    expect(plain(byLabel)).toEqual({ PER: ["Ann Lee", "Bo"], ORG: ["Acme Corp"] });
  });

  test("CTC joins repeats and drops blanks; a repeat with a blank between is two", async () => {
    const steps = [1, 1, 0, 1, 2, 3, 2];
    const rows = steps.flatMap((best) => [0, 1, 2, 3].map((one) => (one === best ? 0.7 : 0.1)));
    const probabilities = floats([1, steps.length, 4], rows);
    const read = await run("text/ctc@1", { probabilities }, { files: { alphabet: "a\nb\n" } });
    expect(plain(read.text)).toBe("aab b");
    expect(plain(read.score)).toBeCloseTo(0.7);
    const without = await run(
      "text/ctc@1",
      { probabilities },
      { files: { alphabet: "[\nb\nc" }, with: { space: false } },
    );
    expect(plain(without.text)).toBe("[[bcb");
  });
});

describe("templates and JSON", () => {
  test("templates are filled by key; what is missing is an error, or what it is told to be", async () => {
    const templates = { refund: "Dear {name}, {order.id} is refunded. {{}", other: "Hello {name}" };
    const inputs = { key: json("refund"), fields: json({ name: "Ann", order: { id: 7 } }) };
    const filled = await run("text/template@1", inputs, { with: { templates } });
    expect(plain(filled.text)).toBe("Dear Ann, 7 is refunded. {}");
    const asFile = { files: { templates: JSON.stringify(templates) } };
    await expect(run("text/template@1", { key: json("lost") }, asFile)).rejects.toThrow(
      '"lost", for which there is no template',
    );
    await expect(run("text/template@1", { key: json("other") }, asFile)).rejects.toThrow(
      "has no name, which {name} is to be",
    );
    const how = { with: { templates, otherwise: "other", missing: "you" } };
    expect(plain((await run("text/template@1", { key: json("lost") }, how)).text)).toBe("Hello you");
  });

  /** The example of RFC 6901, section 5. */
  const example = { foo: ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7 };
  test.each([
    ["", example],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/ ", 7],
    ["/m~0n", 8],
  ])("the pointer %j points as RFC 6901 says", async (pointer, value) => {
    expect(plain((await run("json/pick@1", { json: json(example) }, { with: { pointer } })).value)).toEqual(value);
  });

  test("what a pointer does not find is an error, or what it is told to be", async () => {
    const pick = async (how: Record<string, string | number>) =>
      run("json/pick@1", { json: json(example) }, { with: how });
    await expect(pick({ pointer: "/foo/2" })).rejects.toThrow('has nothing at "/foo/2"');
    await expect(pick({ pointer: "/foo/00" })).rejects.toThrow("has nothing");
    await expect(pick({ pointer: "/toString" })).rejects.toThrow("has nothing");
    await expect(pick({ pointer: "/foo", as: "text" })).rejects.toThrow("has no text");
    await expect(pick({ pointer: "foo" })).rejects.toThrow("is no JSON pointer");
    expect(plain((await pick({ pointer: "/none", otherwise: 3, as: "number" })).value)).toBe(3);
  });

  test("merge names values, leaves out what is not there, and lays objects side by side", async () => {
    const merged = await run(
      "json/merge@1",
      { a: json(1), c: json({ x: 2, y: 3 }) },
      { with: { names: ["one", "two", ""] } },
    );
    expect(plain(merged.json)).toEqual({ one: 1, x: 2, y: 3 });
    await expect(run("json/merge@1", { a: json(1) }, { with: { names: [] } })).rejects.toThrow("input a has no name");
  });
});

describe("decisions", () => {
  const rules = [
    {
      name: "loss",
      when: [
        { fact: "/mood", is: "bad" },
        { fact: "/score", atLeast: 0.8 },
      ],
      decision: "sell",
      reason: "{mood} at {score}, {who.0} says",
    },
    {
      name: "known",
      when: [
        { fact: "/who", has: "ACME" },
        { fact: "/mood", among: ["good", "fair"] },
      ],
      decision: "buy",
      reason: "{who}",
    },
    { name: "silent", when: [{ fact: "/mood", exists: false }], decision: "wait", reason: "no {mood}" },
    { name: "otherwise", decision: "hold", reason: "nothing holds" },
  ];
  const decide = async (facts: Parameters<typeof json>[0]): Promise<unknown[]> => {
    const { decision, rule, reason } = await run("decide/rules@1", { facts: json(facts) }, { with: { rules } });
    return [plain(decision), plain(rule), plain(reason)];
  };

  test("the first rule that holds decides, its reason filled in", async () => {
    expect(await decide({ mood: "bad", score: 0.8125, who: ["Bo"] })).toEqual([
      "sell",
      "loss",
      "bad at 0.813, Bo says",
    ]);
    expect(await decide({ mood: "fair", who: ["X", "ACME"] })).toEqual(["buy", "known", "X, ACME"]);
    expect(await decide({})).toEqual(["wait", "silent", "no nothing"]);
    expect(await decide({ mood: "bad", score: "high" })).toEqual(["hold", "otherwise", "nothing holds"]);
  });

  test("a table that may leave a case open, or that says what it does not know, is refused when it is read", async () => {
    const refused = async (table: Parameters<typeof json>[0]) => run("decide/rules@1", {}, { with: { rules: table } });
    await expect(async () => refused(rules.slice(0, 2))).rejects.toThrow("last rule must have no conditions");
    await expect(async () => refused([])).rejects.toThrow("1 to 256 rules");
    const wrong = (when: object) =>
      [{ name: "x", when: [when], decision: "y", reason: "z" }, rules[3]!] as Parameters<typeof json>[0];
    await expect(async () => refused(wrong({ fact: "/a", near: 3 }))).rejects.toThrow(
      "rule 1, condition 1 must be a fact and one of",
    );
    await expect(async () => refused(wrong({ fact: "/a", below: "3" }))).rejects.toThrow("must compare with a number");
  });

  test("scores are added by weight, and who is not there leaves its weight to the others", async () => {
    const sides = { a: json({ bank: 0.5, card: 0.5 }), b: json({ card: 1 }) };
    const fused = await run("decide/weighted@1", sides, { with: { weights: [3, 1] } });
    expect(plain(fused.scores)).toEqual({ card: 0.625, bank: 0.375 });
    expect([plain(fused.label), plain(fused.score), plain(fused.margin)]).toEqual(["card", 0.625, 0.25]);
    const alone = await run("decide/weighted@1", { a: sides.a }, { with: { weights: [3, 1] } });
    expect([plain(alone.label), plain(alone.score)]).toEqual(["bank", 0.5]);
  });
});
