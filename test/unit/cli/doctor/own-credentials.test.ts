import { describe, expect, it, vi } from "vitest";
import { Failure } from "../../../../extension/failure/failure.ts";
import { createOwnCredentials } from "../../../../scripts/cli/doctor/own-credentials.ts";

const KEYS = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "s" };
const holding = (get: () => Promise<typeof KEYS>) => createOwnCredentials({ mayChange: true, get });

describe("the caller's own credentials", () => {
  it("are looked up once", async () => {
    const get = vi.fn(async () => KEYS);
    const own = holding(get);
    expect([await own.get(), await own.get()]).toEqual([KEYS, KEYS]);
    expect(get).toHaveBeenCalledTimes(1);
  });

  it("are looked up again after a failure", async () => {
    const get = vi.fn(async () => KEYS).mockRejectedValueOnce(new Failure("credentials-missing", "none"));
    const own = holding(get);
    await expect(own.get()).rejects.toMatchObject({ code: "credentials-missing" });
    expect(await own.get()).toEqual(KEYS);
  });
});
