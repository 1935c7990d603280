import { sts, tryEachFault } from "../support/aws-faults.ts";

tryEachFault(sts);
