/**
 * The tus protocol (resumable uploads, https://tus.io) at /uploads. `@tus/server` speaks it; who may do what is
 * `UploadAccess`'s. An upload survives restarts of the API: what has come is on disk.
 */
import { All, Controller, Inject, Logger, Req, Res } from '@nestjs/common';
import { ArilError, ERROR_CODES } from '@aril/contracts';
import { Server, type ServerOptions } from '@tus/server';
import type { Request, Response } from 'express';
import { actorOf, type Caller, CallerResolver, Public } from '../../../base/auth/caller.js';
import { setActor } from '../../../base/auth/request-identity.js';
import { CONFIG, type Config } from '../../../base/config/config.js';
import { reportError, restError } from '../../../base/errors/error-report.js';
import { logReport } from '../../../base/errors/log-report.js';
import type { ApiRequest } from '../../../base/http/api-request.js';
import { mayManageAdapters } from '../adapter.policy.js';
import { UploadAccess } from './upload-access.js';
import { UploadFolder } from './upload-folder.js';
import { UploadLocker } from './upload-locker.js';
import { newUploadId, UPLOADS_PATH } from './upload-id.js';

type TusRequest = Parameters<NonNullable<ServerOptions['onUploadCreate']>>[0];
type TusError = { status_code: number; body: string };

/** GET is not tus's but its server's: it would hand out files. */
const METHODS = new Set(['POST', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS']);

@Public()
@Controller(UPLOADS_PATH)
export class UploadController {
  private readonly logger = new Logger(UploadController.name);
  private readonly server: Server;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly callers: CallerResolver,
    private readonly access: UploadAccess,
    folder: UploadFolder,
    locker: UploadLocker,
  ) {
    this.server = new Server({ ...this.options(), datastore: folder.store, locker });
  }

  /** What a client may do is public, because browsers ask it without credentials; everything else needs a caller. */
  @All(['', '*path'])
  async handle(@Req() request: Request, @Res() response: Response): Promise<void> {
    if (!METHODS.has(request.method)) throw new ArilError('NOT_FOUND', 'Uploaded files cannot be downloaded.');
    if (request.method !== 'OPTIONS') {
      const caller = await this.callers.require(request);
      mayManageAdapters(caller);
      (request as ApiRequest).caller = caller;
      setActor(actorOf(caller));
    }
    await this.server.handle(request, response);
  }

  private options(): Omit<ServerOptions, 'locker'> {
    return {
      path: UPLOADS_PATH,
      // Relative to wherever the client found us, a proxy's address included.
      relativeLocation: true,
      maxSize: this.config.ADAPTER_BYTES_MAX,
      allowedOrigins: [...this.config.PORTAL_URL, this.config.API_URL],
      allowedCredentials: true,
      allowedHeaders: ['Authorization'],
      namingFunction: (_request, metadata) => newUploadId(this.access.target(metadata)),
      onIncomingRequest: async (request, id) => {
        if (request.method !== 'POST') await this.access.check(callerOf(request).tenantId, id);
      },
      onUploadCreate: async (request, upload) => {
        await this.access.begin(callerOf(request).tenantId, upload.id, upload.size);
        return {};
      },
      onResponseError: (request, error) => this.toTusError(request, error),
    };
  }

  /** tus's own errors already are what they should be; ours get their status and the usual body. */
  private toTusError(request: TusRequest, error: Error | TusError): TusError | undefined {
    if ('status_code' in error) return undefined;
    const requestId = String(expressOf(request).id);
    const report = reportError(error, requestId);
    logReport(this.logger, report, requestId);
    return { status_code: ERROR_CODES[report.code].http, body: JSON.stringify(restError(report, requestId)) };
  }
}

const expressOf = (request: TusRequest): Request & ApiRequest => request.runtime?.node?.req as unknown as Request & ApiRequest;

function callerOf(request: TusRequest): Caller {
  const { caller } = expressOf(request);
  if (!caller) throw new ArilError('UNAUTHENTICATED', 'Sign in, or send an API key.');
  return caller;
}
