"""What a report says, in Korean, by its English words."""

from __future__ import annotations

import re

TEXTS = {
    # sheets and tables
    "Summary": "요약",
    "Detections": "검출 목록",
    "Photos": "사진 목록",
    "Classes": "분류별 집계",
    "To check": "확인 필요",
    "Problems": "문제 파일",
    "Data dictionary": "데이터 사전",
    "Files by status": "상태별 파일 수",
    "Confidence spread": "확신도 분포",
    "Scores of the weights on val": "검증 사진(val)으로 잰 모델 성능",
    "Boxes by class": "분류별 검출 수",
    # headings
    "crop": "대상",
    "photo": "사진",
    "class": "분류",
    "class confidence": "분류 확신도",
    "unsure": "확인 필요",
    "decided by": "결정 방식",
    "runner-up": "2순위 분류",
    "runner-up confidence": "2순위 확신도",
    "lead over runner-up": "2순위와의 차이",
    "correct class": "올바른 분류",
    "note": "메모",
    "detector confidence": "검출 확신도",
    "left (px)": "왼쪽 (px)",
    "top (px)": "위 (px)",
    "right (px)": "오른쪽 (px)",
    "bottom (px)": "아래 (px)",
    "captured": "촬영 일시",
    "camera": "카메라",
    "latitude": "위도",
    "longitude": "경도",
    "key": "식별 키",
    "annotated picture": "검출 표시 사진",
    "status": "상태",
    "boxes found": "검출 수",
    "boxes: {name}": "검출: {name}",
    "reviewed: all boxes right": "검토 완료: 모든 상자가 맞음",
    "largest class confidence": "최고 분류 확신도",
    "width (px)": "너비 (px)",
    "height (px)": "높이 (px)",
    "seconds": "처리 시간(초)",
    "problem": "문제",
    "what to do": "해결 방법",
    "boxes": "검출 수",
    "share": "비율",
    "mean class confidence": "평균 분류 확신도",
    "unsure boxes": "확인 필요 수",
    "best crop": "가장 확실한 사진",
    "best confidence": "가장 높은 확신도",
    "worst crop": "가장 불확실한 사진",
    "worst confidence": "가장 낮은 확신도",
    "sheet": "시트",
    "column": "열",
    "meaning": "설명",
    "unit": "단위",
    "files": "파일 수",
    "score": "지표",
    "value": "값",
    # what cells say
    "yes": "예",
    "no": "아니요",
    "not a subject": "대상 아님",
    "new class": "새 분류",
    "ok": "검출됨",
    "empty": "검출 없음",
    "unreadable": "열 수 없음",
    "truncated": "일부 손실",
    "too large": "너무 큼",
    "unsupported": "사진 아님",
    "something found": "대상을 찾음",
    "nothing found": "대상을 찾지 못함",
    "cannot be opened": "파일을 열 수 없음",
    "its end is missing": "파일 끝부분이 없음",
    "too many pixels, or more than memory holds": "화소 수가 너무 많거나 메모리가 부족함",
    "not a photo": "사진 파일이 아님",
    "one": "단일 모델",
    "agreed": "모두 일치",
    "majority": "다수결",
    "mean": "평균",
    # the data dictionary
    "0 to 1; the workbook shows it as %": "0~1 (엑셀에서는 %로 표시)",
    "pixels of the upright photo": "픽셀 (바로 세운 사진 기준)",
    "pixels": "픽셀",
    "number of boxes": "건",
    "s": "초",
    "date and time": "날짜와 시각",
    "degrees, north positive": "도 (북위가 양수)",
    "degrees, east positive": "도 (동경이 양수)",
    "The subject, cut out of the upright photo.": "바로 세운 사진에서 잘라낸 대상입니다.",
    "The file, by its path in the folder of photos; a link to it.": "사진 폴더 안의 파일 경로입니다. 누르면 사진이"
    " 열립니다.",
    "What the subject most probably is.": "가능성이 가장 높은 분류입니다.",
    "How sure the classifier is of the class: the darker the cell, the less.": "분류를 얼마나 확신하는지 나타냅니다."
    " 셀 색이 진할수록 확신도가 낮습니다.",
    "yes: the classifier is not sure enough, somebody should look. These boxes are on To check too.": "‘예’이면"
    " 확신도가 낮아 사람이 확인해야 합니다. ‘확인 필요’ 시트에도 있습니다.",
    "What decided between several sets of weights: all agreed, a majority, or the mean of all.": "여러 모델의 판단을"
    " 하나로 정한 방식입니다: 모두 일치, 다수결, 평균.",
    "The second most probable class.": "가능성이 두 번째로 높은 분류입니다.",
    "How probable the runner-up is.": "2순위 분류의 확신도입니다.",
    "Class confidence less runner-up confidence. The rows are sorted by it, the most doubtful first.": "분류 확신도에서"
    " 2순위 확신도를 뺀 값입니다. 이 값이 작은, 곧 가장 의심스러운 행부터 정렬되어 있습니다.",
    "For you to fill in where the class is wrong: choose the right one. cropsort correct reads it back.": "직접"
    " 입력하는 열입니다. 분류가 틀렸으면 목록에서 올바른 분류를 고르십시오. cropsort correct 명령이 읽어 들입니다.",
    "For you to fill in, with whatever you like.": "직접 입력하는 열입니다. 자유롭게 쓰십시오.",
    "How sure the detector is that the box holds a subject.": "상자 안에 대상이 있다고 얼마나 확신하는지 나타냅니다.",
    "Left edge of the box, from the photo's left edge.": "사진 왼쪽 끝에서 상자 왼쪽 변까지의 거리입니다.",
    "Upper edge of the box, from the photo's upper edge.": "사진 위쪽 끝에서 상자 윗변까지의 거리입니다.",
    "Right edge of the box, from the photo's left edge.": "사진 왼쪽 끝에서 상자 오른쪽 변까지의 거리입니다.",
    "Lower edge of the box, from the photo's upper edge.": "사진 위쪽 끝에서 상자 아랫변까지의 거리입니다.",
    "When the photo was taken, by the camera's clock (EXIF).": "사진을 찍은 때입니다(EXIF, 카메라 시계 기준).",
    "Make and model of the camera (EXIF).": "카메라 제조사와 모델명입니다(EXIF).",
    "Where the photo was taken (EXIF).": "사진을 찍은 위치입니다(EXIF).",
    "How cropsort finds the row again, whatever you sort, filter or hide. Leave it as it is.": "정렬하거나 필터를"
    " 걸거나 숨겨도 cropsort가 행을 다시 찾는 데 쓰는 값입니다. 고치지 마십시오.",
    "The photo with its boxes drawn in; a link to it.": "검출 상자를 그려 넣은 사진입니다. 누르면 열립니다.",
    "ok: something was found; empty: nothing was; others could not be sorted: see Problems.": "‘검출됨’은 대상을 찾은"
    " 사진, ‘검출 없음’은 찾지 못한 사진입니다. 그 밖의 파일은 ‘문제 파일’ 시트를 보십시오.",
    "Boxes found in the photo; empty where it could not be sorted.": "사진에서 찾은 상자 수입니다. 처리하지 못한 파일은"
    " 비어 있습니다.",
    "Boxes of the class {name} in the photo; empty where it could not be sorted.": "사진에서 ‘{name}’(으)로 분류된 상자"
    " 수입니다. 처리하지 못한 파일은 비어 있습니다.",
    "For you to fill in: yes where no subject lacks a box and, with your corrections, all classes are right."
    " cropsort correct trains on it.": "직접 입력하는 열입니다. 빠진 상자가 없고 고친 것까지 포함해 분류가 모두 맞으면"
    " ‘예’를 고르십시오. cropsort correct로 학습에 쓰입니다.",
    "Class confidence of the surest box.": "가장 확실한 상자의 분류 확신도입니다.",
    "Width of the upright photo.": "바로 세운 사진의 너비입니다.",
    "Height of the upright photo.": "바로 세운 사진의 높이입니다.",
    "Time spent on the photo; photos that were sorted together share it.": "사진 처리에 걸린 시간입니다. 여러 장을"
    " 함께 처리했으면 나눈 값입니다.",
    "Why the file could not be sorted.": "파일을 처리하지 못한 이유입니다.",
    "What helps in most cases.": "대부분의 경우 도움이 되는 방법입니다.",
    "Boxes of the class.": "이 분류로 검출된 상자 수입니다.",
    "Boxes of the class, of all boxes.": "전체 상자 가운데 이 분류의 비율입니다.",
    "Mean class confidence of the boxes of the class.": "이 분류 상자들의 평균 분류 확신도입니다.",
    "Boxes of the class that somebody should look at.": "이 분류에서 사람이 확인해야 할 상자 수입니다.",
    "The photo with the surest box of the class; a link to it. Its crop is shown.": "이 분류에서 가장 확실한 상자가"
    " 있는 사진입니다. 누르면 열립니다. 왼쪽 그림이 그 대상입니다.",
    "The photo with the least sure box of the class; a link to it.": "이 분류에서 가장 불확실한 상자가 있는 사진입니다."
    " 누르면 열립니다.",
    "Class confidence of that box.": "그 상자의 분류 확신도입니다.",
    "The sheet that the column is on.": "열이 있는 시트입니다.",
    "The column's heading.": "열의 제목입니다.",
    "What it says.": "열의 내용입니다.",
    "Of its values; empty for text.": "값의 단위입니다. 글자로 된 열은 비어 있습니다.",
    # the summary
    "Report on {name}": "{name} 보고서",
    "{count} box": "{count}건",
    "{count} boxes": "{count}건",
    "{count} files": "파일 {count}개",
    "{boxes} found in {ok} of {files}.": "{files} 가운데 {ok}개에서 대상 {boxes}을 찾았습니다.",
    "finished": "완료 일시",
    "interrupted: not all photos are in": "중단됨: 일부 사진만 포함",
    "photos": "사진 폴더",
    "weights": "모델(가중치)",
    "trained on": "학습 데이터",
    " or more": " 이상",
    "to check": "확인할 대상",
    "nothing: no box is unsure": "없음: 모두 확실합니다",
    "{count} of {boxes}: see To check, the most doubtful first": "{boxes} 가운데 {count}건: ‘확인 필요’ 시트 참조"
    " (의심스러운 순)",
    "cropsort version": "cropsort 버전",
    "F1, at least": "F1 하한",
    "F1, at most": "F1 상한",
    "precision": "정밀도",
    "recall": "재현율",
    "found": "검출률",
    "top-1": "분류 정확도",
    "top-1 when found": "분류 정확도(검출 시)",
    "precision and recall in one": "정밀도와 재현율을 합친 값",
    "lower end of its 95 % interval": "95% 신뢰 구간의 아래쪽",
    "upper end of its 95 % interval": "95% 신뢰 구간의 위쪽",
    "boxes that hold a subject of their class": "상자 가운데 위치와 분류가 모두 맞은 비율",
    "subjects found and given the right class": "대상 가운데 찾아서 바르게 분류한 비율",
    "subjects found, whatever their class": "대상 가운데 찾은 비율(분류와 무관)",
    "right class, of subjects as people framed them": "사람이 표시한 상자를 바르게 분류한 비율",
    "right class, of subjects as the detector framed them": "찾은 상자를 바르게 분류한 비율",
    "the detector alone": "검출 모델만의 점수",
    "the detector alone, closely framed": "검출 모델만의 점수(상자 위치를 엄격히 봄)",
    "settings": "설정",
    "device": "장치",
    "engine": "추론 엔진",
    "8-bit networks": "8비트 모델",
    "photos at a time": "한 번에 처리할 사진 수",
    "detector": "검출 모델",
    "classifier": "분류 모델",
    "overlap of boxes (IoU)": "상자 겹침 허용(IoU)",
    "margin around boxes": "상자 여백",
    "sure from": "확실 기준",
    # warnings
    "This report is partial: the run was stopped before its end. Run predict again: it goes on there.": "실행이 중간에"
    " 중단되어 일부 사진만 담긴 보고서입니다. predict를 다시 실행하면 이어서 처리합니다.",
    "The folder of photos is not there any more: links to photos lead nowhere.": "사진 폴더가 없어졌거나 옮겨졌습니다."
    " 사진 링크가 열리지 않습니다.",
    "{count} files are not where they were: links to them lead nowhere.": "파일 {count}개가 없어졌거나 옮겨졌습니다."
    " 해당 링크는 열리지 않습니다.",
    "The crops of {count} boxes cannot be shown: their pictures have gone.": "대상 {count}건은 그림 파일이 없어"
    " 표시하지 못했습니다.",
    "{count} photos could not be read: see Problems.": "사진 {count}장을 열지 못했습니다. ‘문제 파일’ 시트를 보십시오.",
    "{count} photos lack their end: see Problems.": "사진 {count}장은 끝부분이 없습니다. ‘문제 파일’ 시트를 보십시오.",
    "{count} photos are too large to be sorted: see Problems.": "사진 {count}장은 너무 커서 처리하지 못했습니다. ‘문제"
    " 파일’ 시트를 보십시오.",
    "{count} files are not photos: see Problems.": "파일 {count}개는 사진이 아닙니다. ‘문제 파일’ 시트를 보십시오.",
    "{count} hidden files were skipped.": "숨김 파일 {count}개는 건너뛰었습니다.",
    "Crops are shown for the first {count} boxes only.": "대상 그림은 처음 {count}건만 표시합니다.",
    "{sheet} goes on on {sheet} 2 and so on: a sheet of Excel has room for {count} rows.": "엑셀 시트에는 {count}행까지"
    " 들어가므로 ‘{sheet}’ 시트는 ‘{sheet} 2’ 등으로 이어집니다.",
    "Excel has room for {count} links a sheet: below them paths are plain text.": "엑셀 시트에는 링크가 {count}개까지만"
    " 들어갑니다. 그 아래 행에는 경로만 적혀 있습니다.",
    "Warnings": "알림",
    "No warnings": "알림 없음",
    # what the workbook says of itself
    "Page &P of &N": "&P/&N쪽",
    "Not on the list": "목록에 없는 값",
    "Choose from the list: the arrow beside the cell opens it. Or leave the cell empty.": "셀 옆의 화살표를 눌러"
    " 목록에서 고르거나 셀을 비워 두십시오.",
    # what to do
    "Open it in a photo viewer and save it as a JPEG. If it does not open there, copy it from the camera once more."
    " Then run predict again.": "사진 보기 프로그램으로 열어 JPEG로 저장하십시오. 열리지 않으면 카메라나 휴대전화에서"
    " 다시 복사한 뒤 predict를 다시 실행하십시오.",
    "The copy broke off: copy it from the camera or phone once more, then run predict again.": "복사가 중간에"
    " 끊겼습니다. 카메라나 휴대전화에서 다시 복사한 뒤 predict를 다시 실행하십시오.",
    "Save it with fewer pixels, or use a computer with more memory, then run predict again.": "크기를 줄여 저장하거나"
    " 메모리가 더 큰 컴퓨터에서 predict를 다시 실행하십시오.",
    "Nothing, if it is no photo. A photo in a rare format: save it as a JPEG, then run predict again.": "사진이 아니면"
    " 그대로 두십시오. 드문 형식의 사진이면 JPEG로 저장한 뒤 predict를 다시 실행하십시오.",
    "Check the address and the connection, then run predict again.": "주소와 인터넷 연결을 확인한 뒤 predict를 다시"
    " 실행하십시오.",
}
"""Sentences, headings and names of sheets; what stands in braces is filled in."""

REASONS = [
    (re.compile(pattern), said)
    for pattern, said in (
        (r"the file is empty", "빈 파일입니다"),
        (r"not a photo in any known format", "알려진 사진 형식이 아닙니다"),
        (r"its header is damaged \(it begins like (.+)\)", "파일 머리 부분이 손상되었습니다({}처럼 시작함)"),
        (r"its end is missing: (\S+ %|\S+%) of its pixels", "파일 끝부분이 없습니다(화소의 {})"),
        (r"its end is missing: ([\d,]+) bytes or more", "파일 끝부분이 없습니다({}바이트 이상)"),
        (r"its end is missing.*", "파일 끝부분이 없습니다"),
        (r"cannot be opened \((.+)\)", "열 수 없습니다({})"),
        (r"cannot be decoded \((.+)\)", "사진 내용을 풀 수 없습니다({})"),
        (r"cannot be read \((.+)\)", "읽을 수 없습니다({})"),
        (r"no photo by its name or its first bytes", "이름으로도 내용으로도 사진이 아닙니다"),
        (r"does not fit into memory alone", "한 장만으로도 메모리가 부족합니다"),
        (r"(\d+) x (\d+) pixels are more than (\d+) million", "{}×{}픽셀로 한계인 {}백만 픽셀을 넘습니다"),
        (r"more than (\d+) million pixels", "{}백만 픽셀을 넘습니다"),
        (r"([\d.]+) GB are more than ([\d.]+)", "{}GB로 한계인 {}GB를 넘습니다"),
        (r"cannot be fetched \(the server says (\d+)\)", "내려받을 수 없습니다(서버 응답 {})"),
        (r"cannot be fetched \((.+)\)", "내려받을 수 없습니다({})"),
        (r"broke off after ([\d,]+) of (\d+) bytes", "{1}바이트 가운데 {0}바이트에서 끊겼습니다"),
    )
]
"""Why a file could not be sorted, as patterns of the English reasons, the first that fits."""
