// The series of the certificates and revocation lists in use: when each begins and ends, so that an alert can count what is
// left of its own life.

import type { CertificateInUse, CrlInUse } from '../tls/types.ts';

/** A gauge with labels, as prom-client has it. */
interface LabelledGauge {
  reset(): void;
  set(labels: Readonly<Record<string, string>>, value: number): void;
}

/** Makes a gauge of which a scrape of several workers shows the least. */
export type MakeGauge = (name: string, help: string, labelNames: readonly string[]) => LabelledGauge;

export class CertificateSeries {
  readonly #notBefore: LabelledGauge;
  readonly #notAfter: LabelledGauge;
  readonly #lastUpdate: LabelledGauge;
  readonly #nextUpdate: LabelledGauge;

  constructor(make: MakeGauge) {
    const ofCertificate = ['role', 'serial'];
    this.#notBefore = make(
      'certificate_not_before_timestamp_seconds',
      'From when a certificate in use is valid.',
      ofCertificate,
    );
    this.#notAfter = make(
      'certificate_not_after_timestamp_seconds',
      'When a certificate in use expires.',
      ofCertificate,
    );
    this.#lastUpdate = make(
      'crl_last_update_timestamp_seconds',
      'From when a revocation list in use is in force.',
      ['issuer'],
    );
    this.#nextUpdate = make('crl_next_update_timestamp_seconds', 'When a revocation list in use expires.', [
      'issuer',
    ]);
  }

  /** Replaces all of them. */
  show(certificates: readonly CertificateInUse[], crls: readonly CrlInUse[]): void {
    this.#notBefore.reset();
    this.#notAfter.reset();
    // Serials are unique for one issuer only. Of two with the same serial the one that expires first is shown.
    for (const { role, serial, notBefore, notAfter } of certificates.toSorted(
      (a, b) => Number(b.notAfter) - Number(a.notAfter),
    )) {
      this.#notBefore.set({ role, serial }, toSeconds(notBefore));
      this.#notAfter.set({ role, serial }, toSeconds(notAfter));
    }
    this.#lastUpdate.reset();
    this.#nextUpdate.reset();
    // Of several lists of one issuer OpenSSL uses the current one: the one that expires last.
    for (const { issuer, lastUpdate, nextUpdate } of crls.toSorted(
      (a, b) => Number(a.nextUpdate) - Number(b.nextUpdate),
    )) {
      if (nextUpdate === null) continue;
      this.#lastUpdate.set({ issuer }, toSeconds(lastUpdate));
      this.#nextUpdate.set({ issuer }, toSeconds(nextUpdate));
    }
  }
}

function toSeconds(date: Date): number {
  return date.getTime() / 1000;
}
