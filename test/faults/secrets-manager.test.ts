import { secretsManager, tryEachFault } from "../support/aws-faults.ts";

tryEachFault(secretsManager);
