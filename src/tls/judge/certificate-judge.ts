// Whether a client certificate would verify now, asked of OpenSSL itself: the judge plays the handshake of a client
// that presents the chain to a server with the very SecureContext that new clients meet. OpenSSL verifies a chain when
// the Certificate message arrives, before it asks for the proof of the key, so the handshake is dropped there. Used for
// live sessions after a reload and by `explain --cert`, which both have a certificate and no key (decision 25).

import type { X509Certificate } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { CertainRefusals } from './certain-refusal.ts';
import { subjectOf, type PresentedChain } from './presented-chain.ts';
import { errorWords } from '../material/load-problem.ts';
import type { TlsMaterial } from '../types.ts';
import { unprovenClient } from './unproven-client.ts';
import { verdictOf, verifyError, wordsOf, type Verdict, type VerifyError } from '../verify-errors.ts';

/** What is known of a chain: OpenSSL takes it, OpenSSL refuses it, or nobody can say. */
export type Judgement =
  | { readonly kind: 'verified' }
  | { readonly kind: 'refused'; readonly error: VerifyError }
  | { readonly kind: 'not-judged'; readonly reason: string };

/** What a judgement rests on. */
export type JudgingMaterial = Pick<TlsMaterial, 'authorities' | 'context' | 'options'>;

/** OpenSSL's answer: Node's name and text of its error, null where it verifies. */
type Answer = { readonly error: Verdict | null } | { readonly silent: string };

/** A handshake in memory needs two turns of the event loop. One that has not ended after this many never will. */
const MAX_TURNS = 200;

const STOOD_STILL = 'the judging handshake stood still';
const STRANGE_CONTEXT = 'the judging handshake does not reach ssl_ca_file';

/** Errors about the time. OpenSSL checks the time late, so they may stand before others that it met earlier. */
const timeErrors: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CRL_HAS_EXPIRED',
  'CRL_NOT_YET_VALID',
]);

/** Judges by one state of the ssl_* files. Make a new one for each reload: it remembers what it has found. */
export class CertificateJudge {
  readonly #material: JudgingMaterial;
  readonly #certain: CertainRefusals;
  /** By the chain's fingerprint: many sessions come with one certificate, and one judgement serves them all. */
  readonly #admitted = new Map<string, Promise<Judgement>>();

  constructor(material: JudgingMaterial) {
    this.#material = material;
    this.#certain = new CertainRefusals(material);
  }

  /** @returns the verdict of a handshake now, in its words; `not-judged` where it breaks before there is one */
  async judge({ certificates }: PresentedChain): Promise<Judgement> {
    return judgementOf(await ask(certificates, this.#material));
  }

  /**
   * As `judge`, for a client that was verified before. The time that has passed since takes nobody's right away: where
   * OpenSSL's error is about the time, only what is certain without a clock counts (contract §2, reload.sessions).
   */
  async judgeAdmitted(chain: PresentedChain): Promise<Judgement> {
    let judgement = this.#admitted.get(chain.fingerprint);
    if (judgement === undefined) {
      judgement = this.#judgeAdmitted(chain);
      this.#admitted.set(chain.fingerprint, judgement);
    }
    return await judgement;
  }

  async #judgeAdmitted({ certificates }: PresentedChain): Promise<Judgement> {
    const answer = await ask(certificates, this.#material);
    if ('silent' in answer || !timeErrors.has(answer.error?.name ?? '')) return judgementOf(answer);
    // SECURITY: a certificate that is revoked is not spared because it has expired as well.
    const certain = await this.#certain.find(certificates);
    if (certain !== null) return { kind: 'refused', error: verifyError(certain) };
    const { reason } = answer.error === null ? verifyError(null) : wordsOf(answer.error);
    return { kind: 'not-judged', reason };
  }
}

function judgementOf(answer: Answer): Judgement {
  if ('silent' in answer) return { kind: 'not-judged', reason: answer.silent };
  return answer.error === null ? { kind: 'verified' } : { kind: 'refused', error: wordsOf(answer.error) };
}

/** Presents a chain to a server that is never heard of again. */
async function ask(chain: readonly Buffer[], material: JudgingMaterial): Promise<Answer> {
  const wire = new Wire();
  const server = new TLSSocket(wire, {
    isServer: true,
    requestCert: true,
    rejectUnauthorized: false,
    secureContext: judgingContext(material),
    // Node takes from the context of a server name its certificate, its CAs and its lists, and nothing else. So the
    // lists of ssl_crl_file are in memory once, and the judge speaks TLS 1.2 whatever ssl_min_protocol_version says.
    SNICallback: (_name, use) => use(null, material.context),
  });
  let failure: Error | null = null;
  server.on('error', (error) => (failure ??= error));
  try {
    wire.push(unprovenClient(chain));
    let answer: Answer = { silent: STOOD_STILL };
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      // OpenSSL keeps the client's certificate only once it has verified it.
      if (server.getPeerX509Certificate() !== undefined) {
        answer = { silent: STRANGE_CONTEXT };
        // SECURITY: without this a Node whose judging handshake has other CAs would cut everybody off. Only the context
        // of ssl_ca_file asks for certificates by the names in it.
        if (namesOneOf(wire.written, material.authorities)) return { error: verdictOf(server) };
      } else if (failure !== null) return { silent: errorWords(failure, 'the judging handshake failed') };
      await setImmediate();
    }
    return answer;
  } catch (error) {
    return { silent: errorWords(error, 'the judging handshake failed') };
  } finally {
    server.destroy();
    wire.destroy();
  }
}

/** By security level; `undefined` is the library's own. */
const judgingContexts = new Map<string | undefined, SecureContext>();

/**
 * What a judging server has of its own: TLS 1.2, any cipher, and the security level of ssl_ciphers, by which OpenSSL
 * finds keys and signatures of a chain too weak.
 */
function judgingContext({ options }: JudgingMaterial): SecureContext {
  // SECURITY: OpenSSL takes the last level of a list; another one would judge weak keys otherwise than the handshake.
  const level = options.ciphers?.match(/@SECLEVEL=\d/g)?.at(-1);
  let context = judgingContexts.get(level);
  if (context === undefined) {
    const ciphers = level === undefined ? 'ALL' : `ALL:${level}`;
    context = createSecureContext({ ca: [], ciphers, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    judgingContexts.set(level, context);
  }
  return context;
}

/** Whether what the server has said in clear holds the name of one of the authorities, as its request does. */
function namesOneOf(said: Buffer, authorities: readonly X509Certificate[]): boolean {
  return authorities.length === 0 || authorities.some(({ raw }) => said.includes(subjectOf(raw)));
}

/** The wire to a client that has said all it will say. */
class Wire extends Duplex {
  readonly #written: Buffer[] = [];

  /** What the server has said. */
  get written(): Buffer {
    return Buffer.concat(this.#written);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#written.push(chunk);
    done();
  }
}
