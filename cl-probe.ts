import { BullMqQueueDriver } from '/work/main/src/drivers/queue/queue-driver.bullmq.ts';
import { RedisServer } from '/work/main/test/support/redis-server.ts';
import { Worker, Queue, RedisQueueBackend, RedisConnection } from 'bullmq';
for (const [n,c] of [['Worker',Worker],['Queue',Queue],['RedisQueueBackend',RedisQueueBackend],['RedisConnection',RedisConnection]] as any) for (const m of ['close','disconnect','disconnectBlocking','whenCurrentJobsFinished','reconnect']) if(Object.hasOwn(c.prototype,m)){const o=c.prototype[m]; c.prototype[m]=async function(...a:any[]){console.log(n,m,a.length?a:'','…'); const r=await o.apply(this,a); console.log(n,m,'done'); return r;}}
const s=await RedisServer.start();
const d=await BullMqQueueDriver.open({url:s.url,prefix:'x'});
const q=d.queue('a'); let rel:any; const g=new Promise(r=>rel=r); let started=0;
await q.consume(async()=>{started++;await g},{concurrency:2,onError:e=>console.log('ERR',e.message)});
await q.add([{messageId:'0'.repeat(36),fence:0,origin:{team:'a',customer:'b',feature:'c'},lane:'x'}]);
while(!started) await new Promise(r=>setTimeout(r,10));
console.log('kill'); await s.kill(); const t=performance.now();
const c=d.close(); rel(); setTimeout(()=>{console.log('gave up');process.exit(1)},15000).unref();
await c; console.log('closed',performance.now()-t); await s.stop();
