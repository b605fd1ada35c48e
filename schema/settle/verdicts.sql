SELECT countIf(verdict = 'settle') AS settled, countIf(verdict = 'carry') AS carried, countIf(verdict = 'forget') AS forgotten FROM {scratch:Identifier}
