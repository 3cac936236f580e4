// Tutorial 6, the client: node square_ask.js QUEUE NUMBER...
//
// The answers come by the broker's own way back, direct reply-to, which needs no queue; correlation
// ids tell which question they answer.

import { randomUUID } from "node:crypto";

import { connect } from "./tutorial.js";

const directReply = "amq.rabbitmq.reply-to";
const [queue, ...numbers] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: false });

const waiting = new Map();
await channel.consume(
  directReply,
  (message) => waiting.get(message.properties.correlationId)?.(message.content.toString()),
  { noAck: true },
);

function ask(number) {
  const correlationId = randomUUID();
  channel.sendToQueue(queue, Buffer.from(number), { correlationId, replyTo: directReply });
  return new Promise((resolve) => waiting.set(correlationId, resolve));
}

const answers = await Promise.all(numbers.map(ask));
await connection.close();
numbers.forEach((number, at) => console.log(`${number} squared is ${answers[at]}`));
