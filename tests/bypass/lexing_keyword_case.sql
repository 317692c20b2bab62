dElEtE fRoM OrDeRs.DaIlY;
