// What the programs share: BASE is the server, TOKEN may read switches, PAGE may only evaluate; KIBITZ is the program that flips them.
import { execFileSync } from "node:child_process";

export const { BASE, TOKEN, PAGE, KIBITZ } = process.env;
export const wrong = [];
export const check = (ok, what) => { if (!ok) wrong.push(what); };
export const flip = (key, to) => execFileSync(KIBITZ, ["switch", "set", key, to], { stdio: "pipe" });
export const until = async (what, ok) => {
  for (let i = 0; i < 1200; i++) {
    if (await ok()) return;
    await new Promise(done => setTimeout(done, 50));
  }
  throw new Error(`waited in vain until ${what}`);
};
export const end = () => {
  for (const w of wrong) console.log("wrong:", w);
  process.exit(wrong.length ? 1 : 0);
};
