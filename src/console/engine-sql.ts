// The statement for the engine while it is written: its pieces, and for each of them where the operand begins that ends with
// it. Nothing that has been written is looked through or copied again, however deep a statement nests its casts: the process
// that serves the sessions writes it.

/** Words that a parenthesis follows which is no list of arguments: `SELECT (1 + 2)::text` casts the sum alone. */
const NO_FUNCTIONS: ReadonlySet<string> = new Set(
  'select distinct all and or not in is like ilike match regexp between escape case when then else from where on having by limit offset union intersect except as'.split(
    ' ',
  ),
);

/** Pieces of SQL, and the last operand among them. */
export class EngineSql {
  readonly #pieces: string[] = [];
  /** By piece: where the operand begins that ends with it: a value, a column with its table, a call or a parenthesis. */
  readonly #begins: number[] = [];
  /** Where the parentheses stand that are open. */
  readonly #open: number[] = [];

  /** Appends one piece. */
  push(text: string): void {
    const index = this.#pieces.push(text) - 1;
    if (text === '(') this.#open.push(index);
    const begin = text === ')' ? this.#beginOfCall(this.#open.pop() ?? 0) : index;
    // A column has its table before it, and a table its schema.
    this.#begins.push(this.#pieces[begin - 1] === '.' ? (this.#begins[begin - 2] ?? 0) : begin);
  }

  /** Puts the last operand between two texts. What comes out of it is the last operand then. */
  wrap(before: string, after: string): void {
    if (this.#pieces.length === 0) this.push('');
    const begin = this.#begins.at(-1) ?? 0;
    this.#pieces[begin] = `${before} ${this.#pieces[begin] ?? ''}`;
    this.#pieces.push(after);
    this.#begins.push(begin);
  }

  toString(): string {
    return this.#pieces.join(' ');
  }

  /** The parenthesis of a call has its function before it. */
  #beginOfCall(parenthesis: number): number {
    const before = this.#pieces[parenthesis - 1] ?? '';
    // `count(*) FILTER (WHERE …)::int` casts the count.
    if (/^(?:filter|over)$/i.test(before)) return this.#begins[parenthesis - 2] ?? parenthesis;
    const isCall = /^[A-Za-z_]\w*$/.test(before) && !NO_FUNCTIONS.has(before.toLowerCase());
    return isCall ? parenthesis - 1 : parenthesis;
  }
}
