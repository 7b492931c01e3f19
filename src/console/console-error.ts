// An error that a console's session survives: PostgreSQL's ERROR with its SQLSTATE.

export class ConsoleError extends Error {
  readonly sqlstate: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;

  constructor(
    sqlstate: string,
    message: string,
    extra: { readonly detail?: string; readonly hint?: string } = {},
  ) {
    super(message);
    this.name = 'ConsoleError';
    this.sqlstate = sqlstate;
    this.detail = extra.detail;
    this.hint = extra.hint;
  }
}
