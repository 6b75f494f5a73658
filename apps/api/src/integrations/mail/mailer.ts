import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { createTransport } from 'nodemailer';
import { CONFIG, type Config } from '../../base/config/config.js';

export interface Mail {
  to: string;
  subject: string;
  text: string;
}

/** Where mails are put. */
export interface Outbox {
  /** Whether what is put there reaches anybody. */
  readonly sends: boolean;
  post(mail: Mail): void;
}

const TIMEOUT_MS = 15_000;

/** Mail through the server of SMTP_URL. Without one nothing is sent, and `sends` says so. */
@Injectable()
export class Mailer implements Outbox, OnApplicationShutdown {
  private readonly logger = new Logger(Mailer.name);
  private readonly transport: ReturnType<typeof createTransport> | null;
  private readonly from: string | undefined;

  constructor(@Inject(CONFIG) { SMTP_URL, MAIL_FROM }: Config) {
    this.from = MAIL_FROM;
    const timeouts = { connectionTimeout: TIMEOUT_MS, greetingTimeout: TIMEOUT_MS, socketTimeout: TIMEOUT_MS };
    this.transport = SMTP_URL ? createTransport({ url: SMTP_URL, ...timeouts }) : null;
  }

  get sends(): boolean {
    return this.transport !== null;
  }

  /** Nobody waits for a mail server: a mail that cannot be sent is logged, without its address, and not tried again. */
  post(mail: Mail): void {
    this.transport?.sendMail({ from: this.from, ...mail }).catch((error: unknown) => {
      this.logger.warn({ code: (error as { code?: unknown }).code }, 'a mail could not be sent');
    });
  }

  onApplicationShutdown(): void {
    this.transport?.close();
  }
}
