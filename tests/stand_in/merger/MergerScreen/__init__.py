from .MergerScreen import Screen, ScreenManager
