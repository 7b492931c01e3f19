// An error of a statement with an SQLSTATE of its own, thrown through the engine.

export class Failure extends Error {
  readonly sqlstate: string;

  constructor(sqlstate: string, message: string) {
    super(message);
    this.name = 'Failure';
    this.sqlstate = sqlstate;
  }
}
