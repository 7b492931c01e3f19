// From the YAML text to a tree in which every value is still the text that the operator wrote, with its place:
// what `on`, `60s` or `0640` mean is PostgreSQL's to say (units.ts), not YAML's. Never throws.

import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Alias,
  type Node,
} from 'yaml';

/** 1-based. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A value as written; `empty` is YAML's null: nothing, `~` or `null`. */
export type Written =
  | { readonly kind: 'scalar'; readonly text: string; readonly at: Position }
  | { readonly kind: 'empty'; readonly at: Position }
  | { readonly kind: 'list'; readonly items: readonly Written[]; readonly at: Position }
  | WrittenMap;

/** A mapping, its keys unique. */
export interface WrittenMap {
  readonly kind: 'map';
  readonly entries: readonly WrittenEntry[];
  readonly at: Position;
}

export interface WrittenEntry {
  readonly key: string;
  readonly at: Position;
  readonly value: Written;
}

/** Something wrong with the text itself. */
export interface YamlProblem {
  readonly at: Position;
  readonly message: string;
}

export interface YamlText {
  readonly root: Written;
  readonly problems: readonly YamlProblem[];
}

/** An alias may be used, but not to write a small file that means a huge one: a value counts wherever it is meant. */
const MAX_ALIASES = 100;
const MAX_VALUES = 300_000;
/** At most this many syntax errors of one file are reported. A megabyte of brackets has a million. */
const MAX_ERRORS = 1_000;
/** Deeper than any setting goes, shallow enough for recursion. */
const MAX_DEPTH = 10;

const TOO_DEEP = 'nested too deeply';

/** Better words than the library's, by its codes. */
const messages: Readonly<Partial<Record<string, string>>> = {
  MULTIPLE_DOCS: 'the file holds more than one YAML document',
  RESOURCE_EXHAUSTION: TOO_DEEP,
};

const START: Position = { line: 1, column: 1 };

/** Reads one YAML 1.2 document; an empty one is an empty mapping of no settings. */
export function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
    const reader = new TreeReader(lines);
    const errors = [...document.errors, ...document.warnings]
      .slice(0, MAX_ERRORS)
      .map(({ code, message, pos: [offset] }) => ({
        at: reader.position(offset),
        message: messages[code] ?? message,
      }));
    const exhausted = errors.find((error) => error.message === TOO_DEEP);
    if (exhausted !== undefined) return unreadable([exhausted]);
    // A tree with syntax errors has holes; complaining about those as well would only confuse.
    if (errors.length > 0) return unreadable(errors);
    return { root: reader.read(document.contents, START, 0), problems: reader.problems };
  } catch (error) {
    if (error instanceof Unreadable) return unreadable([{ at: error.at, message: error.message }]);
    // The library recurses, and reports an exhausted stack itself in some places only.
    const message = error instanceof RangeError ? TOO_DEEP : String(error);
    return unreadable([{ at: START, message }]);
  }
}

function unreadable(problems: readonly YamlProblem[]): YamlText {
  return { root: { kind: 'empty', at: START }, problems };
}

/** The tree cannot be followed any further; the reader's own, caught in parseYaml. */
class Unreadable extends Error {
  readonly at: Position;
  constructor(at: Position, message: string) {
    super(message);
    this.at = at;
  }
}

/** Copies the library's nodes into Written, counting aliases and depth. */
class TreeReader {
  readonly problems: YamlProblem[] = [];
  readonly #lines: LineCounter;
  /** What each anchor stands for so far: an alias means the last one of its name above it. */
  readonly #anchors = new Map<string, Node>();
  #aliases = 0;
  #inAlias = 0;
  #values = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** `at` is where a value stands that has no place of its own. */
  read(node: unknown, at: Position, depth: number): Written {
    // SECURITY: without a limit 100 aliases of a long list fill the memory, and the process dies of a file of 1 MB.
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw new Unreadable(at, `more than ${MAX_VALUES} values`);
    if (isAlias(node)) return this.#readAlias(node, at, depth);
    this.#noteAnchor(node);
    if (isScalar(node)) {
      const place = this.#placeOf(node, at);
      if (node.value === null) return { kind: 'empty', at: place };
      // A parsed scalar always has its source: what it says once quotes and escapes are read, and no more.
      return { kind: 'scalar', text: node.source ?? '', at: place };
    }
    const isCollection = isMap(node) || isSeq(node);
    if (!isCollection) return { kind: 'empty', at };
    const place = this.#placeOf(node, at);
    if (depth >= MAX_DEPTH) throw new Unreadable(place, TOO_DEEP);
    if (isSeq(node)) {
      return { kind: 'list', items: node.items.map((item) => this.read(item, place, depth + 1)), at: place };
    }
    const entries = new Map<string, WrittenEntry>();
    for (const pair of node.items) {
      const key = this.read(pair.key, place, depth + 1);
      if (key.kind !== 'scalar') {
        this.#fail(key.at, 'a key must be a plain word');
      } else if (entries.has(key.text)) {
        this.#fail(
          key.at,
          `parameter "${key.text}" is set twice, first in line ${entries.get(key.text)?.at.line}`,
        );
      } else {
        entries.set(key.text, { key: key.text, at: key.at, value: this.read(pair.value, key.at, depth + 1) });
      }
    }
    return { kind: 'map', entries: [...entries.values()], at: place };
  }

  #readAlias(alias: Alias, at: Position, depth: number): Written {
    const place = this.#placeOf(alias, at);
    this.#aliases += 1;
    if (this.#aliases > MAX_ALIASES) throw new Unreadable(place, `more than ${MAX_ALIASES} aliases`);
    const target = this.#anchors.get(alias.source);
    if (target === undefined)
      throw new Unreadable(place, `no anchor "${alias.source}" stands before its alias`);
    this.#inAlias += 1;
    const value = this.read(target, place, depth + 1);
    this.#inAlias -= 1;
    return value;
  }

  /** What is read again for an alias has been noted where it stands. */
  #noteAnchor(node: unknown): void {
    if (this.#inAlias > 0 || !isNode(node) || isAlias(node)) return;
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
  }

  #placeOf(node: { range?: readonly number[] | null | undefined }, otherwise: Position): Position {
    const offset = node.range?.[0];
    return offset === undefined ? otherwise : this.position(offset);
  }

  #fail(at: Position, message: string): void {
    this.problems.push({ at, message });
  }
}
