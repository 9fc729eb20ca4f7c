/** What a case had nothing to look at for: it has neither passed nor failed. */
export interface Untried {
  /**
   * `not-promised`: the store says that it does not do what the case is about. `not-tried`: the harness has no way to bring
   * about what the case looks at.
   */
  readonly status: "not-promised" | "not-tried";
  /** What the store says, for example `transactions: false`, or the member that the harness lacks. */
  readonly reason: string;
}
