EXECUTE from_elsewhere(1);
