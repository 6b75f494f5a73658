/** Files of repositories of a Hugging Face hub, read through `@huggingface/hub`. */
import { Readable } from 'node:stream';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { fileDownloadInfo, InvalidApiResponseFormatError, modelInfo } from '@huggingface/hub';
import { Agent, Headers, type RequestInit, Response } from 'undici';
import { CONFIG, type Config } from '../../base/config/config.js';
import { isPrivateHub, lookupPublic } from './hub-address.js';
import { isThere, type Wanted } from './hub-answer.js';
import { HubError, unreachable } from './hub-error.js';
import { connectionError, fetchFromHub, type Reach } from './hub-fetch.js';

/** Between bytes too: a slow line is no broken one, a silent one is. */
const SILENCE_MS_MAX = 30_000;
const CONNECT_MS_MAX = 10_000;
/** What is said of a repository or a file, in JSON. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const COMMIT = /^[0-9a-f]{40}$/;

export interface HubFile {
  url: string;
  bytes: number;
  /** Of the content: SHA-256, or what git calls a blob of it; null: the hub tells none. */
  hash: { kind: 'sha256' | 'git'; hex: string } | null;
}

export interface HubBytes {
  /** The first one's place in the file: not the one that was asked for where the server has no ranges. */
  start: number;
  body: Readable;
}

@Injectable()
export class HubService implements OnApplicationShutdown {
  private readonly anyAddress = new Agent(agentOptions);
  private readonly publicAddresses = new Agent({ ...agentOptions, connect: { timeout: CONNECT_MS_MAX, lookup: lookupPublic } });

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /** null: imports are switched off. */
  get url(): string | null {
    return this.config.HUB_URL;
  }

  /** `repository` is `organization/name`; whatever is done ends with `signal`. */
  async open(repository: string, token: string | null, signal: AbortSignal): Promise<HubRepository> {
    if (this.url === null) throw new HubError('hub_address_refused', 'imports switched off (HUB_URL)', 'a hub to import from');
    const hub = new URL(this.url);
    const anywhere = await isPrivateHub(hub);
    const dispatcher = anywhere ? this.anyAddress : this.publicAddresses;
    return new HubRepository(this.url, repository, { hub, token, anywhere, dispatcher, signal });
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.anyAddress.destroy(), this.publicAddresses.destroy()]);
  }
}

const agentOptions = { connect: { timeout: CONNECT_MS_MAX }, headersTimeout: SILENCE_MS_MAX, bodyTimeout: SILENCE_MS_MAX };

/** One repository, for as long as an attempt to import from it takes. */
export class HubRepository {
  constructor(
    private readonly hubUrl: string,
    private readonly name: string,
    private readonly reach: Reach,
  ) {}

  /** The commit that a branch or tag is at now. */
  async commitOf(revision: string): Promise<string> {
    const asked = { name: this.name, revision, hubUrl: this.hubUrl, additionalFields: ['sha' as const] };
    const { sha } = await understood(modelInfo({ ...asked, fetch: this.fetchFor({ revision }) }));
    if (!COMMIT.test(String(sha))) throw new HubError('hub_answer_unknown', 'no commit in what the hub says of the repository', 'one');
    return String(sha);
  }

  /** null: there is no such file. */
  async file(commit: string, path: string): Promise<HubFile | null> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const asked = { repo: { type: 'model' as const, name: this.name }, revision: commit, path: encoded, hubUrl: this.hubUrl };
    const found = await understood(fileDownloadInfo({ ...asked, fetch: this.fetchFor({ revision: commit, file: path }) }));
    return found && { url: found.url, bytes: found.size, hash: hashOf(found.etag) };
  }

  /**
   * The file's bytes from `from` on, as they come. Not the library's own way to read them, a Blob that makes text of what
   * goes wrong.
   */
  async read({ url }: HubFile, from: number): Promise<HubBytes> {
    const { response, own } = await fetchFromHub(this.reach, url, { headers: from > 0 ? { range: `bytes=${from}-` } : {} });
    if (!(await isThere(response, own, this.wanted({ file: url }))) || !response.body) throw unreachable('no bytes of a file that was there');
    const start = response.status === 206 ? Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]) : 0;
    if (start !== 0 && start !== from) throw new HubError('hub_answer_unknown', 'other bytes than were asked for', `those from ${from} on`);
    return { start, body: readable(response, this.reach.hub.host) };
  }

  private wanted(asked: Pick<Wanted, 'revision' | 'file'>): Wanted {
    return { ...asked, hub: this.reach.hub.host, repository: this.name, withToken: this.reach.token !== null };
  }

  /** For the library: small answers, whole, with what the hub says of a file that another host sends. */
  private fetchFor(asked: Pick<Wanted, 'revision' | 'file'>): typeof globalThis.fetch {
    const ask = async (url: string, init: RequestInit): Promise<Response> => {
      const { response, linked, own } = await fetchFromHub(this.reach, url, init);
      // How the library is told that a file is not there.
      if (!(await isThere(response, own, this.wanted(asked)))) return new Response(null, { status: 404, headers: { 'x-error-code': 'EntryNotFound' } });
      const headers = new Headers(response.headers);
      for (const [name, value] of linked) headers.set(name, value);
      // Another host's tag of a file need not be its hash.
      if (!own) headers.set('etag', '"none"');
      return new Response(await smallBody(response, this.reach.hub.host), { status: response.status, headers });
    };
    return ask as unknown as typeof globalThis.fetch;
  }
}

/** The library's own complaints are about forms, and would be shown with URLs. */
async function understood<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof InvalidApiResponseFormatError || error instanceof SyntaxError)) throw error;
    throw new HubError('hub_answer_unknown', 'an answer that is not a hub’s', 'one in the form of the Hugging Face hub’s');
  }
}

async function smallBody(response: Response, host: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body ? readable(response, host) : []) {
    bytes += (chunk as Buffer).length;
    if (bytes > ANSWER_BYTES_MAX) throw new HubError('hub_answer_unknown', 'an endless answer', `at most ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** A stream whose errors are ours. */
function readable(response: Response, host: string): Readable {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response.body ?? []) yield chunk as Uint8Array;
    } catch (error) {
      throw connectionError(error, host);
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}

function hashOf(etag: string): HubFile['hash'] {
  const hex = etag.replace(/^W\//, '').replaceAll('"', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { kind: 'sha256', hex };
  return /^[0-9a-f]{40}$/.test(hex) ? { kind: 'git', hex } : null;
}
