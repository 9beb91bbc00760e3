import { APP_GUARD } from '@nestjs/core';
import { authenticationModeToken, type AuthenticationMode } from '../../http/authentication-mode.ts';
import { callerIdentificationToken } from '../../http/caller.ts';
import { type UrlTokens, urlTokensToken } from '../../http/url-tokens.ts';
import { ApiKeys } from './api-keys.ts';
import { auditListSchema } from './audit-documents.ts';
import { AuditLog } from './audit-log.ts';
import { AuditController } from './audit.controller.ts';
import { AuthenticationGuard } from './authentication.guard.ts';
import {
  keyListSchema,
  keyRequestSchema,
  newKeySchema,
  revokedKeySchema,
  rotatedKeySchema,
  rotationRequestSchema,
} from './key-administration.ts';
import { KeysController } from './keys.controller.ts';
import { People } from './people.ts';
import { RequestAuthentication } from './request-authentication.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [KeysController, AuditController],
  services: [ApiKeys, AuditLog, People],
  providers: [
    {
      provide: RequestAuthentication,
      inject: [ApiKeys, People, authenticationModeToken, { token: urlTokensToken, optional: true }],
      useFactory: (keys: ApiKeys, people: People, mode: AuthenticationMode, urlTokens?: UrlTokens) =>
        new RequestAuthentication(keys, people, mode, urlTokens),
    },
    { provide: callerIdentificationToken, useExisting: RequestAuthentication },
    { provide: APP_GUARD, useClass: AuthenticationGuard },
  ],
  answers: {
    NewKey: newKeySchema,
    RotatedKey: rotatedKeySchema,
    KeyList: keyListSchema,
    RevokedKey: revokedKeySchema,
    AuditList: auditListSchema,
  },
  requests: { KeyRequest: keyRequestSchema, KeyRotationRequest: rotationRequestSchema },
};
