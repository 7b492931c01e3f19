// What the gauges that nobody keeps up to date are read from.

/** Numbers that are read at a scrape and not kept up to date on every connection. */
export interface GaugeSource {
  sessions(): number;
  handshakesInProgress(): number;
  /** Null = not probed yet: the series is left out. */
  upstreamUp(): boolean | null;
  /** Whether the upstream's catalogue answers, and when it was last read. Null = it is not asked, or never was. */
  catalog?(): { readonly up: boolean | null; readonly refreshedAt: number | null };
  /** Live sessions that a reload's rules, CA or CRL would refuse now. */
  sessionsNoLongerAdmitted(): number;
  /** Addresses that are refused for their failed authentications. */
  bannedAddresses(): number;
}
