"""What is sent: good, slow and poison messages, and some of them twice; the same each time."""

import random
import re
from dataclasses import dataclass

SEED = 20260105

DUPLICATES, SLOW, POISON = 0.06, 0.01, 0.02
"""Which part of the messages is sent again, takes long, or can never be processed."""

FEWEST = 2
"""So many of each kind there are at least."""

MESSAGES_OF_A_GROUP = 40

IDS = re.compile(r"(?:good|slow|poison)-\d{5}")
"""The ids of messages, wherever these have got to."""


@dataclass(frozen=True)
class Message:
    id: str
    """Says of which kind the message is; when it is sent again, it has the same one."""
    group: str
    """Whose message it is: of an account, or of a tenant."""
    copy: int = 1

    @property
    def is_poison(self) -> bool:
        return self.id.startswith("poison")

    @property
    def is_other_poison(self) -> bool:
        """Whether it is of the other half of the poison, where there are two kinds."""
        return self.is_poison and self.number % 2 == 1

    @property
    def number(self) -> int:
        return int(self.id[-5:])


def is_slow(message_id: str) -> bool:
    return message_id.startswith("slow")


def schedule(count: int) -> list[Message]:
    """Return so many messages in the order in which they are sent."""
    chance = random.Random(SEED)  # noqa: S311 - the same each time
    twice, slow, poison = (max(FEWEST, round(count * part)) for part in (DUPLICATES, SLOW, POISON))
    kinds = ["slow"] * slow + ["poison"] * poison
    kinds += ["good"] * (count - twice - len(kinds))
    chance.shuffle(kinds)
    groups = max(5, count // MESSAGES_OF_A_GROUP)
    messages = [
        Message(f"{kind}-{number:05}", f"group-{chance.randrange(groups)}")
        for number, kind in enumerate(kinds)
    ]
    for first in chance.sample([each for each in messages if not each.is_poison], twice):
        later = chance.randint(messages.index(first) + 1, len(messages))
        messages.insert(later, Message(first.id, first.group, copy=2))
    return messages
