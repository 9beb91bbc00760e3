import { Module } from '@nestjs/common';
import { AnswerStage } from './answer.stage.ts';

/** The pipeline: one stage. */
@Module({ providers: [AnswerStage] })
export class ChatModule {}
