/**
 * Those who read streams that are open. A request is let in once, a stream can go on for minutes after that: here its
 * reader is looked at now and then, once however many streams he reads, until he may not read any more.
 */
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { type Caller, CallerResolver } from '../../base/auth/caller.js';

const LOOK_EVERY_MS = 5_000;

/** What is told in the place of the rest. */
export class ReaderGone extends ArilError {
  constructor({ apiKeyId }: Caller) {
    if (apiKeyId !== null) super('UNAUTHENTICATED', 'The API key was revoked, has expired or was replaced by a rotation while this was generated; it was stopped.');
    else super('FORBIDDEN', 'You have been removed from this workspace while this was generated.');
  }
}

interface Reader {
  caller: Caller;
  /** What ends each of his streams. */
  expel: Set<(gone: ReaderGone) => void>;
}

@Injectable()
export class ReaderWatch implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(ReaderWatch.name);
  private readonly readers = new Map<string, Reader>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly callers: CallerResolver) {}

  onModuleInit(): void {
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  get size(): number {
    return this.readers.size;
  }

  /** Calls `expel` if the caller may not read any more, until the returned function is called. */
  watch(caller: Caller, expel: (gone: ReaderGone) => void): () => void {
    const name = `${caller.tenantId}:${caller.apiKeyId ?? caller.userId}:${caller.grant?.secretVersion ?? ''}`;
    const reader = this.readers.get(name) ?? { caller, expel: new Set() };
    this.readers.set(name, reader);
    reader.expel.add(expel);
    return () => {
      reader.expel.delete(expel);
      if (reader.expel.size === 0 && this.readers.get(name) === reader) this.readers.delete(name);
    };
  }

  /** A database that does not answer expels nobody. */
  async look(): Promise<void> {
    for (const { caller, expel } of [...this.readers.values()]) {
      try {
        if (await this.callers.stillHolds(caller)) continue;
        for (const each of [...expel]) each(new ReaderGone(caller));
      } catch (error) {
        this.logger.warn({ tenantId: caller.tenantId, err: error }, 'a reader could not be looked at');
      }
    }
  }
}
