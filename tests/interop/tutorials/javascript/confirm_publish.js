// Tutorial 7, publisher confirms: node confirm_publish.js QUEUE COUNT
//
// Publishes COUNT messages one by one, each confirmed before the next; COUNT in batches; COUNT whose
// confirms come while others are on their way; and two that the broker cannot keep, of which it
// tells.

import { connect } from "./tutorial.js";

const batchSize = 25;
const [queue, countText] = process.argv.slice(2);
const count = Number(countText);
const connection = await connect();
const channel = await connection.createConfirmChannel();
await channel.assertQueue(queue, { durable: true });

function confirmed(to, text, options) {
  return new Promise((resolve, reject) =>
    channel.sendToQueue(to, Buffer.from(text), options, (refusal) =>
      refusal ? reject(refusal) : resolve(),
    ),
  );
}

const persistent = { persistent: true };
for (let number = 0; number < count; ++number) {
  await confirmed(queue, String(number), persistent);
}
console.log(`one by one: ${count} confirmed`);

for (let number = 0; number < count; ++number) {
  channel.sendToQueue(queue, Buffer.from(String(number)), persistent);
  if ((number + 1) % batchSize === 0 || number + 1 === count) {
    await channel.waitForConfirms();
  }
}
console.log(`in batches: ${count} confirmed`);

const underWay = [];
for (let number = 0; number < count; ++number) {
  underWay.push(confirmed(queue, String(number), persistent));
}
const outcomes = await Promise.allSettled(underWay);
const kept = outcomes.filter(({ status }) => status === "fulfilled").length;
console.log(`asynchronously: ${kept} confirmed`);

let told = "not told";
channel.once("return", ({ fields }) => (told = `${fields.replyCode} ${fields.replyText}`));
await confirmed(`${queue}.missing`, "lost", { mandatory: true });
console.log(`unroutable: ${told}`);

const full = await channel.assertQueue("", {
  exclusive: true,
  arguments: { "x-max-length": 0, "x-overflow": "reject-publish" },
});
const outcome = await confirmed(full.queue, "no room").then(() => "not told", () => "refused");
console.log(`full queue: ${outcome}`);
await connection.close();
