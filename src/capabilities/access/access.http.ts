import { APP_GUARD } from '@nestjs/core';
import { authenticationModeToken, type AuthenticationMode } from '../../http/authentication-mode.ts';
import { callerIdentificationToken } from '../../http/caller.ts';
import { ApiKeys } from './api-keys.ts';
import { AuthenticationGuard } from './authentication.guard.ts';
import { keyListSchema, keyRequestSchema, newKeySchema, revokedKeySchema } from './key-administration.ts';
import { KeysController } from './keys.controller.ts';
import { RequestAuthentication } from './request-authentication.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [KeysController],
  services: [ApiKeys],
  providers: [
    {
      provide: RequestAuthentication,
      inject: [ApiKeys, authenticationModeToken],
      useFactory: (keys: ApiKeys, mode: AuthenticationMode) => new RequestAuthentication(keys, mode),
    },
    { provide: callerIdentificationToken, useExisting: RequestAuthentication },
    { provide: APP_GUARD, useClass: AuthenticationGuard },
  ],
  answers: { NewKey: newKeySchema, KeyList: keyListSchema, RevokedKey: revokedKeySchema },
  requests: { KeyRequest: keyRequestSchema },
};
